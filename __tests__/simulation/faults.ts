import type { HttpResponse } from '../../src/http/http-client.ts'
import { type CreateAnswer, STORED_AGE_MS } from '../support/create-answers.ts'
import { type Gate, gateAnswer } from '../support/gate.ts'
import type { Hardship } from './hardships.ts'
import type { Oddity } from './oddities.ts'
import type { Rng } from './rng.ts'

/** What a request is for. */
export type Purpose = 'create' | 'list' | 'revoke'

/** Answers that come from something in front of the API, this once. */
const GATE_FAULTS = {
  'a gate asks for a password': 'basic',
  'a firewall challenges': 'challenge',
  'a page of HTML': 'page',
  '401 like the API': 'authentication down',
} as const satisfies Record<string, Gate>

/** Create requests that are answered with a key that is not, or not only, the one they made. */
const ANSWER_FAULTS = {
  "another job's answer, own made": "another job's, own made",
  "another job's answer, none made": "another job's, none made",
  'an earlier answer replayed': 'replayed',
  'an old key answered': 'old key',
  'api-key answered': 'api-key',
  'api-key answered with expiry': 'api-key with expiry',
  'a success that is an error': 'error',
  'POST repeated without a sign': 'own twin',
} as const satisfies Record<string, CreateAnswer>

/** What can happen to one request of any purpose. 'none' is the ordinary case. */
const COMMON_FAULTS = [
  'none',
  'refused',
  'dns',
  'cut before the server acted',
  'cut after the server acted',
  'no answer, server did not act',
  'no answer, server acts late',
  'no answer, server acted',
  'answer delayed',
  '500 and acted',
  '502 and did not act',
  '503 and acted',
  '504 and acts late',
  '503 with a wrong date',
  '429',
  'truncated',
  'garbage',
  ...keysOf(GATE_FAULTS),
] as const
const CREATE_FAULTS = [
  ...keysOf(ANSWER_FAULTS),
  'POST repeated by a gateway',
  'POST repeated by a gateway and refused',
  'acted, and something refused the response',
] as const

const CACHE_FAULTS = {
  create: ['a cache answers a create request', '500 and acted'],
  list: ['a cache accepts a key', 'a cache rejects a key', '401 like the API'],
  revoke: ['a cache grants a revocation', 'revocation claimed, not done'],
} as const
const GATEWAY_FAULTS = {
  create: ['created, with the status of an error', 'a filter answers 400 by its own clock'],
} as const

/** After two keys by two clocks, one that is younger than it seems. */
const NODE_FAULTS = { create: ['504 and acts late'] } as const

/** Nothing tells the two keys from another run's. */
const LOSING_FAULTS = { create: ['POST repeated by a gateway, and no response'] } as const

export type Fault =
  | (typeof COMMON_FAULTS)[number]
  | (typeof CREATE_FAULTS)[number]
  | 'stale list'
  | 'revocation claimed, not done'
  | (typeof CACHE_FAULTS)[Purpose][number]
  | (typeof GATEWAY_FAULTS.create)[number]
  | (typeof LOSING_FAULTS.create)[number]
  | (typeof SILENT_FAULTS.create)[number]

/** The key must be revoked by its id: its expiry may not identify it. */
const SILENT_FAULTS = { create: ['a response without the value of the key'] } as const

/** A list in which an orphan is not shown yet. */
const CLAIM_FAULTS = { list: ['stale list'], revoke: ['revocation claimed, not done'] } as const

/** The faults that a request of each purpose can meet. */
export const FAULTS: Record<Purpose, readonly Fault[]> = {
  // More often than others: after a slow response, a twin is looked for.
  create: [...COMMON_FAULTS, ...CREATE_FAULTS, 'answer delayed', 'answer delayed', 'answer delayed'],
  list: [...COMMON_FAULTS, 'stale list'],
  // Twice: it matters only before some other fault.
  revoke: [...COMMON_FAULTS, 'revocation claimed, not done', 'revocation claimed, not done'],
}
/** The faults that only belong to one: without it, a schedule stays as it is whatever is added here. */
export const FAULTS_OF: { [kind in Oddity | Hardship]?: Partial<Record<Purpose, readonly Fault[]>> } = {
  'a gateway that repeats requests and loses responses': LOSING_FAULTS,
  'an API that does not show the value of a key': SILENT_FAULTS,
  'stale lists, and revocations that are only claimed': CLAIM_FAULTS,
  'a cache that stores everything': CACHE_FAULTS,
  'a gateway that replaces statuses': GATEWAY_FAULTS,
  'two nodes, one of them behind': NODE_FAULTS,
}
export const ALL_FAULTS: readonly Fault[] = [
  ...new Set([FAULTS, ...Object.values(FAULTS_OF)].flatMap((faults) => Object.values(faults).flat())),
]

/** After these, the client has no answer that shows a key. */
export const LOSES_THE_ANSWER: ReadonlySet<Fault> = new Set<Fault>([
  'cut after the server acted',
  'no answer, server acts late',
  'no answer, server acted',
  '500 and acted',
  '503 and acted',
  '504 and acts late',
  'truncated',
  'garbage',
  'POST repeated by a gateway and refused',
  'acted, and something refused the response',
  'created, with the status of an error',
  'POST repeated by a gateway, and no response',
])

/** After these, the client has the key that it asked for. */
export const DELIVERS_THE_KEY: ReadonlySet<Fault> = new Set<Fault>([
  'none',
  'answer delayed',
  'POST repeated by a gateway',
])

/** After these, the server has made no key. */
export const NOT_CARRIED_OUT: ReadonlySet<Fault> = new Set<Fault>([
  'cut before the server acted',
  'no answer, server did not act',
  '502 and did not act',
])

function keysOf<T extends Record<string, unknown>>(record: T): (keyof T & string)[] {
  return Object.keys(record)
}

export type NetworkFault = 'refused' | 'dns' | 'timeout' | 'cut' | 'certificate'

/** One request under way, as a fault sees it. Times in milliseconds. */
export interface Exchange {
  rng: Rng
  timeout: number
  /** Carries the request out. For `create`, the answer holds the key that `which` says. */
  act(which?: CreateAnswer): HttpResponse
  /** Carries a request for the list out, on a list of this age. */
  readAged(ageMs: number): HttpResponse
  /** Calls `then` when the request has reached the server. */
  arrive(then: () => void): void
  after(delay: number, then: () => void): void
  /** Carries the request out after its deadline. */
  actLate(): void
  answer(response: HttpResponse): void
  fail(kind: NetworkFault, mayHaveActed: boolean): void
  /** The server's time, as the `Date` header gives it when it is `ms` wrong. */
  dateWrongBy(ms: number): string
}

const FAR_DATES_MS = [3_600_000, 86_400_000, 30 * 86_400_000, 8.6e15 - 1.8e12]

/** Answers to a revocation that was not done. */
const CLAIMS = [
  { status: 204, body: '' },
  { status: 204, body: '' },
  { status: 204, body: '' },
  { status: 200, body: '{"detail":"You may not revoke keys."}' },
  { status: 202, body: '{"queued":true}' },
]

/** What a router, a filter of data or a filter of duplicates says once the API has acted. */
const LATE_REFUSALS = [
  { status: 403, body: 'Forbidden' },
  { status: 404, body: '404 page not found' },
  { status: 400, body: '' },
  { status: 304, body: '' },
  { status: 409, body: '{"detail":"Already done."}' },
]

/** What a gateway makes of the status of a success. A 429 without the key, no client could doubt; design.md lists that. */
const ERROR_STATUSES = [400, 401, 403, 404, 409, 422]

export type Effect = (exchange: Exchange) => void

const gateEffect =
  (gate: Gate): Effect =>
  ({ arrive, answer }) =>
    arrive(() => {
      const { status, headers, body } = gateAnswer(gate)
      answer({ status, headers: lowerCased(headers), body })
    })
/** For so many ms. */
export const limitedEffect =
  (limit: number): Effect =>
  ({ arrive, answer }) => {
    const headers = { 'retry-after': String(Math.ceil(limit / 1000)) }
    arrive(() => answer({ status: 429, headers, body: '{"detail":"Request was throttled."}' }))
  }
const answerEffect =
  (which: CreateAnswer): Effect =>
  ({ arrive, act, answer }) =>
    arrive(() => answer(act(which)))
const cutAfterActing: Effect = ({ arrive, act, fail }) =>
  arrive(() => {
    act()
    fail('cut', true)
  })
const actedThenStatus =
  (status: number): Effect =>
  ({ arrive, act, answer }) =>
    arrive(() => {
      const { date } = act().headers
      answer({ status, headers: date === undefined ? {} : { date }, body: '<h1>Server Error</h1>' })
    })
const refusedBefore =
  (kind: 'refused' | 'dns'): Effect =>
  ({ arrive, fail }) =>
    arrive(() => fail(kind, false))

/** What a cache gives that stored this answer so long ago. */
function fromCache({ status, headers, body }: HttpResponse, ageMs: number, rng: Rng): HttpResponse {
  const { date } = headers
  return {
    status,
    headers: {
      ...headers,
      ...(date !== undefined && { date: new Date(Date.parse(date) - ageMs).toUTCString() }),
      age: String(Math.floor(ageMs / 1000)),
      ...(rng.chance(0.5) && { 'x-cache': 'HIT' }),
    },
    body,
  }
}

/** About the age of a list that a cache gives: that of an earlier key of another job with the same expiry. */
const LIST_AGE_MS = 10 * 60_000

/** The effect of each fault on a request. */
export const EFFECTS: Record<Fault, Effect> = {
  none: ({ arrive, act, answer }) => arrive(() => answer(act())),
  refused: refusedBefore('refused'),
  dns: refusedBefore('dns'),
  'cut before the server acted': ({ arrive, fail }) => arrive(() => fail('cut', true)),
  'cut after the server acted': cutAfterActing,
  truncated: cutAfterActing,
  'no answer, server did not act': () => {},
  'no answer, server acts late': ({ actLate }) => actLate(),
  'no answer, server acted': ({ arrive, act }) => arrive(() => void act()),
  'answer delayed': ({ arrive, act, answer, after, rng, timeout }) =>
    arrive(() => {
      const response = act()
      after(rng.between(0, timeout), () => answer(response))
    }),
  '500 and acted': actedThenStatus(500),
  '503 and acted': actedThenStatus(503),
  '502 and did not act': ({ arrive, answer }) => arrive(() => answer({ status: 502, headers: {}, body: '' })),
  '504 and acts late': ({ actLate, arrive, answer }) => {
    actLate()
    arrive(() => answer({ status: 504, headers: {}, body: '<html>' }))
  },
  '503 with a wrong date': ({ arrive, answer, rng, dateWrongBy }) =>
    arrive(() =>
      answer({
        status: 503,
        headers: { date: dateWrongBy(rng.pick([-1, 1]) * rng.pick(FAR_DATES_MS)) },
        body: '',
      }),
    ),
  '429': (exchange) => limitedEffect(exchange.rng.between(0, 5_000))(exchange),
  garbage: ({ arrive, act, answer }) =>
    arrive(() => {
      const { status, headers, body } = act()
      answer({ status, headers, body: body.slice(0, body.length / 2) })
    }),
  'stale list': ({ arrive, readAged, answer, rng }) =>
    arrive(() => answer(readAged(rng.between(5_000, 120_000)))),
  'revocation claimed, not done': ({ arrive, answer, rng }) =>
    arrive(() => answer({ ...rng.pick(CLAIMS), headers: {} })),
  'POST repeated by a gateway': ({ arrive, after, act, answer, rng }) => {
    arrive(() => void act())
    after(rng.between(3_050, 9_000), () => answer(act()))
  },
  'POST repeated by a gateway and refused': ({ arrive, after, act, answer, rng }) => {
    arrive(() => void act())
    const status = rng.pick([403, 409, 429])
    after(rng.between(3_050, 9_000), () =>
      answer({ status, headers: {}, body: '{"detail":"Already done."}' }),
    )
  },
  'POST repeated by a gateway, and no response': ({ arrive, after, act, rng }) => {
    arrive(() => void act())
    after(rng.between(3_050, 9_000), () => void act())
  },
  'a response without the value of the key': ({ arrive, act, answer }) =>
    arrive(() => {
      const { status, headers, body } = act()
      answer({ status, headers, body: body.replace(/"token":"[^"]*"/, '"token":null') })
    }),
  'acted, and something refused the response': ({ arrive, act, answer, rng }) =>
    arrive(() => {
      act()
      answer({ ...rng.pick(LATE_REFUSALS), headers: {} })
    }),
  'a gate asks for a password': gateEffect('basic'),
  'a firewall challenges': gateEffect('challenge'),
  'a page of HTML': gateEffect('page'),
  '401 like the API': gateEffect('authentication down'),
  "another job's answer, own made": answerEffect("another job's, own made"),
  "another job's answer, none made": answerEffect("another job's, none made"),
  'an earlier answer replayed': answerEffect('replayed'),
  'an old key answered': answerEffect('old key'),
  'api-key answered': answerEffect('api-key'),
  'api-key answered with expiry': answerEffect('api-key with expiry'),
  'a success that is an error': answerEffect('error'),
  'POST repeated without a sign': answerEffect('own twin'),
  'a cache answers a create request': ({ arrive, act, answer, rng }) =>
    arrive(() => answer(fromCache(act('stored'), STORED_AGE_MS, rng))),
  'a cache accepts a key': ({ arrive, readAged, answer, rng }) =>
    arrive(() => {
      const age = LIST_AGE_MS + rng.between(-4_000, 8_000)
      const list = readAged(age)
      answer(fromCache(list.status === 200 ? list : { ...list, status: 200, body: '[]' }, age, rng))
    }),
  'a cache rejects a key': ({ arrive, answer, rng, dateWrongBy }) =>
    arrive(() => {
      const headers = { date: dateWrongBy(0) }
      answer(fromCache({ status: 401, headers, body: '{"detail":"Invalid token."}' }, STORED_AGE_MS, rng))
    }),
  'a cache grants a revocation': ({ arrive, answer, rng, dateWrongBy }) =>
    arrive(() =>
      answer(fromCache({ status: 204, headers: { date: dateWrongBy(0) }, body: '' }, STORED_AGE_MS, rng)),
    ),
  'created, with the status of an error': ({ arrive, act, answer, rng }) =>
    arrive(() => {
      const response = act()
      const statuses = response.body.includes('"token"') ? [...ERROR_STATUSES, 429] : ERROR_STATUSES
      answer({ ...response, status: response.status < 300 ? rng.pick(statuses) : response.status })
    }),
  'a filter answers 400 by its own clock': ({ arrive, answer, rng, dateWrongBy }) =>
    arrive(() => {
      const headers = { date: dateWrongBy(rng.pick([-1, 1]) * rng.between(120_000, 80_000_000)) }
      answer({ status: 400, headers, body: 'Bad Request' })
    }),
}

/** Names of headers in lower case, as Node gives them. */
export function lowerCased(headers: Record<string, string>): Record<string, string> {
  const lower: Record<string, string> = {}
  for (const name in headers) lower[name.toLowerCase()] = headers[name] ?? ''
  return lower
}
