import { isForeign } from '../src/api/api-failure.ts'
import { formatExactly } from '../src/util/instant.ts'
import { type Answer, field, KEYS_PATH, statusOf } from './client.ts'
import type { Evidence } from './observe.ts'
import { cacheHeaders, gridOf, instantOf, type ListReading, microsecondsOf, responseOf, timeText } from './read.ts'

/** What a run saw of a fact; `holds` is null if it saw nothing. */
export interface Observation {
  holds: boolean | null
  observed: string
}

/** One thing that the actions take for granted about the API. */
export interface Fact {
  /** The fact, as a sentence that can be false. */
  fact: string
  /** Whether SphereScout's documentation says so, or it was inferred from software of the same kind. */
  basis: 'documented' | 'assumed'
  /** What the actions do because of it. */
  relied: string
  /** What they do where it does not hold. */
  otherwise: string
  observe(evidence: Evidence): Observation
}

const NOT_OBSERVED: Observation = { holds: null, observed: 'not observed' }
/** How far two clocks may be apart and still count as one: the Date header has whole seconds. */
const SAME_CLOCK_MS = 2_000
const MINUTE_MS = 60_000

const seen = (holds: boolean, observed: string): Observation => ({ holds, observed })
const isOk = ({ status }: Answer) => status >= 200 && status <= 299
const firstCreate = ({ creates }: Evidence) => creates[0] ?? null
/** The first create request, if the response describes a key that it may have made. */
const firstNew = ({ creates: [create] }: Evidence) =>
  create !== undefined && isOk(create.answer) && create.mayBeNew ? create : null
const seconds = (ms: number) =>
  Math.abs(ms) < 100 ? `${Number(Math.abs(ms).toFixed(3))} ms` : `${(Math.abs(ms) / 1000).toFixed(1)} s`

/** A response that says when it was made: its Date header, and this machine's time half-way, in milliseconds. */
function datesOf({ headers, sentAt, receivedAt }: Answer): { date: number; local: number } | null {
  const date = Date.parse(headers.date ?? '')
  // The header has whole seconds; on average, the server was half a second further.
  return Number.isNaN(date) ? null : { date: date + 500, local: (sentAt + receivedAt) / 2 }
}

const isList = ({ asked: { method, url }, status }: Answer) =>
  method === 'GET' && status === 200 && url.pathname.includes(KEYS_PATH)

function signsOfCache(answers: Answer[]): Observation {
  if (answers.length === 0) return NOT_OBSERVED
  const signs = [...new Set(answers.flatMap(cacheHeaders))]
  return seen(signs.length === 0, signs.length === 0 ? 'no sign of one' : `shown by ${signs.join(', ')}`)
}

function describeReading({ form, pages, keys, incomplete }: ListReading): string {
  if (form === 'other') return incomplete ?? 'neither'
  const shape = form === 'array' ? 'one array' : `${pages} page(s)`
  return `${shape}, ${keys.length} key(s)${incomplete === null ? '' : `, but ${incomplete}`}`
}

/** Every fact, in the order of the table and of docs/contract.md. */
export const FACTS: readonly Fact[] = [
  {
    fact: 'Create answers with a 2xx status, `token` and `api_key` with `id`, `token_key`, `created` and `expiry`.',
    basis: 'documented',
    relied: 'The main step passes `token` on and keeps `id` for the revocation.',
    otherwise: 'The main step fails; it, or the post step, revokes what it can identify of the key.',
    observe(evidence) {
      const create = firstCreate(evidence)
      if (create === null) return NOT_OBSERVED
      const { answer } = create
      const described = field(answer.json, 'api_key')
      const names = ['id', 'token_key', 'created', 'expiry'].filter((name) => field(described, name) === undefined)
      if (field(answer.json, 'token') === undefined) names.unshift('token')
      const missing = isOk(answer) && names.length > 0 ? `, without ${names.join(', ')}` : ''
      return seen(isOk(answer) && names.length === 0, `${statusOf(answer)}${missing}`)
    },
  },
  {
    fact: 'A key expires when it was asked to.',
    basis: 'documented',
    relied: 'Every key of the main action expires, even if the post step never runs.',
    otherwise:
      'A lifetime that the API capped is accepted, with a warning. Otherwise the main step revokes the key and fails. ' +
      'If it is killed before that, the post step names the key.',
    observe(evidence) {
      const create = firstNew(evidence)
      if (create === null) return NOT_OBSERVED
      const [asked, answered] = [microsecondsOf(create.asked), microsecondsOf(create.answered)]
      if (create.answered === null) return seen(false, 'the key never expires')
      if (asked === null || answered === null) return seen(false, `unreadable: ${create.answered}`)
      const off = (answered - asked) / 1000
      return seen(Math.abs(off) < MINUTE_MS, off === 0 ? 'exactly' : `${seconds(off)} ${off < 0 ? 'early' : 'late'}`)
    },
  },
  {
    fact: 'Expiries keep fractions of a second, to 1 ms or finer.',
    basis: 'assumed',
    relied: 'The exact expiry marks a key: it tells an orphan apart from the keys of other runs.',
    otherwise: 'A possible orphan is reported instead of revoked; it stays valid until it expires.',
    observe({ creates, digits }) {
      const pairs = creates.flatMap(({ asked, answered, mayBeNew }) =>
        answered === null || !mayBeNew ? [] : [[asked, answered] as const],
      )
      if (digits === 0) return seen(false, 'fractions are refused with 400')
      if (pairs.length === 0) return NOT_OBSERVED
      const finest = gridOf(pairs)
      const grid = finest === '1 us' && digits === 3 ? '1 ms' : finest
      const kept = grid === null ? 'on no known grid' : `kept to ${grid}`
      const refused = digits === 3 ? '; more than 3 digits are refused with 400' : ''
      return seen(grid === '1 us' || grid === '1 ms', `${kept}${refused}`)
    },
  },
  {
    fact: 'The list shows a new key at once.',
    basis: 'assumed',
    relied: 'The post step looks there for keys of unresolved create requests.',
    otherwise: 'The post step looks again until a slow server would have finished.',
    observe({ listed, isSought }) {
      if (listed !== null) return seen(listed.afterMs < SAME_CLOCK_MS, `after ${listed.afterMs} ms`)
      return isSought ? seen(false, 'not in ten readings') : NOT_OBSERVED
    },
  },
  {
    fact: 'The list gives the expiry that the response to create gave.',
    basis: 'assumed',
    relied: 'An orphan is recognized by the expiry in the list.',
    otherwise: 'The orphan is not recognized; it stays valid until it expires.',
    observe(evidence) {
      const { listed } = evidence
      const answered = firstCreate(evidence)?.answered ?? null
      if (listed === null || answered === null) return NOT_OBSERVED
      const { expiresAt, unreadable } = listed.key
      const instant = instantOf(answered)
      // Half a microsecond.
      const isSame = instant !== null && expiresAt !== null && Math.abs(instant - expiresAt) < 0.0005
      if (isSame) return seen(true, 'the same instant')
      return seen(
        false,
        `${expiresAt === null ? (unreadable ?? 'none') : formatExactly(expiresAt)} in place of ${answered}`,
      )
    },
  },
  {
    fact: 'A new key is accepted at once.',
    basis: 'assumed',
    relied: 'Later steps can use the key as soon as the main step has ended.',
    otherwise: 'A later step may get a 401 for a moment. No 401 alone counts as proof of a revocation.',
    observe({ acceptedAfterMs, isRejected }) {
      if (acceptedAfterMs !== null) return seen(acceptedAfterMs < SAME_CLOCK_MS, `after ${acceptedAfterMs} ms`)
      return isRejected ? seen(false, 'not in twenty probes') : NOT_OBSERVED
    },
  },
  {
    fact: '`token_key` is how the key begins.',
    basis: 'documented',
    relied: 'Messages name keys by it; the audit and rotate find the key in use by it.',
    otherwise:
      'The main step takes each new key for another one, and fails. So do rotate, and the audit (`list-incomplete`).',
    observe(evidence) {
      const key = firstCreate(evidence)?.key
      if (!key?.token) return NOT_OBSERVED
      const begins = key.prefix !== '' && key.token.startsWith(key.prefix)
      return seen(begins, begins ? `its first ${key.prefix.length} characters` : 'something else')
    },
  },
  {
    fact: 'The list shows the key that it is read with.',
    basis: 'documented',
    relied: 'A list without it does not prove that a key is absent.',
    otherwise: 'The post step draws no conclusion from it and warns; the audit fails with `list-incomplete`.',
    observe: ({ ownRow, list }) =>
      ownRow === null || list?.form === 'other'
        ? NOT_OBSERVED
        : seen(ownRow, ownRow ? 'it does' : 'no row begins like it'),
  },
  {
    fact: 'The list is complete and readable: one array, or pages that lead to the next.',
    basis: 'documented',
    relied: 'A key that is not in the list does not exist.',
    otherwise: 'The post step draws no conclusion from it and warns; the audit fails with `list-incomplete`.',
    observe({ readings }) {
      const incomplete = readings.filter((reading) => reading.incomplete !== null)
      const shown = incomplete.at(-1) ?? readings[0]
      if (shown === undefined) return NOT_OBSERVED
      const { length } = incomplete
      const isSometimes = length > 0 && length < readings.length
      const which = isSometimes ? `${length} of ${readings.length} readings: ` : ''
      return seen(length === 0, `${which}${describeReading(shown)}`)
    },
  },
  {
    fact: 'The list does not come from a cache.',
    basis: 'assumed',
    relied: 'A key that is not in the list does not exist any more.',
    otherwise: 'The post step draws no conclusion from it and warns; the audit fails with `list-incomplete`.',
    observe: ({ answers }) => signsOfCache(answers.filter(isList)),
  },
  {
    fact: 'No other response comes from a cache.',
    basis: 'assumed',
    relied: 'A response is about the request that it answers.',
    otherwise: 'The response is not believed: no key is obtained, or no revocation is verified.',
    observe: ({ answers }) => signsOfCache(answers.filter((answer) => !isList(answer))),
  },
  {
    fact: 'Each response has a Date header, of the same clock as `created`.',
    basis: 'assumed',
    relied: 'Expiries and ages are calculated by the clock of the server.',
    otherwise:
      '`created` outranks the header; without both, wider limits are used. The audit fails without the header.',
    observe(evidence) {
      const create = firstNew(evidence)
      if (create === null) return NOT_OBSERVED
      const dates = datesOf(create.answer)
      if (dates === null) return seen(false, 'no Date header')
      const created = microsecondsOf(timeText(field(field(create.answer.json, 'api_key'), 'created')))
      if (created === null) return seen(false, '`created` cannot be read')
      const apart = created / 1000 - dates.date
      return seen(Math.abs(apart) < SAME_CLOCK_MS, `${seconds(apart)} apart`)
    },
  },
  {
    fact: "The server's clock agrees with this machine's to a minute.",
    basis: 'assumed',
    relied: 'The first create request asks for the right lifetime.',
    otherwise: 'The main step corrects for the difference and replaces the key.',
    observe({ list }) {
      const dates = list && datesOf(list.first)
      if (!dates) return NOT_OBSERVED
      const apart = dates.date - dates.local
      return seen(Math.abs(apart) < MINUTE_MS, `${seconds(apart)} ${apart < 0 ? 'behind' : 'ahead'}`)
    },
  },
  {
    fact: 'An expiry in the past is refused with 400.',
    basis: 'assumed',
    relied: 'After a 400 the main step asks again, with the clock corrected or with fewer digits.',
    otherwise: 'The main step checks the times in the response, and replaces the key, or fails.',
    observe: ({ pastExpiry }) =>
      pastExpiry === null ? NOT_OBSERVED : seen(pastExpiry.status === 400, statusOf(pastExpiry)),
  },
  {
    fact: 'Nothing but `expiry` can be set: other fields are ignored.',
    basis: 'documented',
    relied: 'There is no better marker for a key than its expiry.',
    otherwise: 'Nothing changes; a label would be a better marker, so please open an issue.',
    observe({ unknownField }) {
      if (unknownField === null) return NOT_OBSERVED
      if (!isOk(unknownField)) return seen(false, `refused: ${statusOf(unknownField)}`)
      const kept = unknownField.text.includes('conformance')
      return seen(!kept, kept ? '`name` was kept' : '`name` was ignored')
    },
  },
  {
    fact: 'A key can revoke itself.',
    basis: 'assumed',
    relied: 'The post step does not need `api-key` for the revocation.',
    otherwise: 'The post step revokes with `api-key`.',
    observe: ({ selfRevocation }) =>
      selfRevocation === null ? NOT_OBSERVED : seen(selfRevocation.status === 204, statusOf(selfRevocation)),
  },
  {
    fact: 'A revoked key gets 401 everywhere, at once.',
    basis: 'documented',
    relied: 'A granted revocation and a 401 to the key prove that it is revoked.',
    otherwise:
      'The first 401 after the grant counts. Until it comes, the post step revokes again, and warns if it never comes.',
    observe({ probes }) {
      if (probes === null) return NOT_OBSERVED
      const { statuses, firstAfterMs } = probes
      const rejected = statuses.filter((status) => status === 401).length
      const after = firstAfterMs === null ? '' : `, the first after ${firstAfterMs} ms`
      return seen(rejected === statuses.length, `401 to ${rejected} of ${statuses.length} probes${after}`)
    },
  },
  {
    fact: 'Revoking a key twice is answered with 404.',
    basis: 'assumed',
    relied: 'After a lost response, a second DELETE does no harm; a 404 alone proves nothing.',
    otherwise: 'If a young key may not revoke itself, only the list confirms its revocation, after 15 s or more.',
    observe: ({ revokedTwice }) =>
      revokedTwice === null ? NOT_OBSERVED : seen(revokedTwice.status === 404, statusOf(revokedTwice)),
  },
  {
    fact: 'A wrong key gets a 401, in JSON or empty, that asks for no other scheme than Bearer.',
    basis: 'assumed',
    relied: 'Such a 401 comes from the API, and not from something in front of it.',
    otherwise: 'The 401 is not believed: revocations cannot be confirmed, and the post step warns.',
    observe({ wrongKey }) {
      if (wrongKey === null) return NOT_OBSERVED
      const scheme = wrongKey.headers['www-authenticate'] ?? ''
      const form = wrongKey.json === undefined ? (wrongKey.text === '' ? 'empty' : 'not JSON') : 'JSON'
      const holds = wrongKey.status === 401 && !isForeign(responseOf(wrongKey))
      return seen(holds, `${statusOf(wrongKey)}, ${form}${scheme && `, ${scheme}`}`)
    },
  },
  {
    fact: 'The path of the endpoint has no trailing slash.',
    basis: 'documented',
    relied: 'No request is redirected; a redirect is never followed.',
    otherwise: 'The step fails and names the address that it was sent to.',
    observe({ list, slash }) {
      if (list === null || slash === null) return NOT_OBSERVED
      const location = slash.headers.location ? ` to ${slash.headers.location}` : ''
      return seen(list.first.status === 200, `with a slash: ${statusOf(slash)}${location}`)
    },
  },
  {
    fact: 'A rate limit is answered with 429 and Retry-After in seconds.',
    basis: 'assumed',
    relied:
      'Rate-limited jobs wait as long as the API asks, and up to twice as long again, at random, if their time allows.',
    otherwise: 'They wait for growing, random times.',
    observe({ answers }) {
      const limited = answers.find(({ status }) => status === 429)
      const names = [...new Set(answers.flatMap(({ headers }) => Object.keys(headers)))].filter((name) =>
        /ratelimit|rate-limit|retry-after/i.test(name),
      )
      const headers = names.length > 0 ? `headers: ${names.join(', ')}` : 'no such headers'
      if (!limited) return { holds: null, observed: `no 429 seen; ${headers}` }
      const wait = limited.headers['retry-after'] ?? ''
      return seen(/^\d+$/.test(wait), `429, Retry-After ${wait || 'missing'}; ${headers}`)
    },
  },
  {
    fact: 'Responses are not compressed unless asked for.',
    basis: 'assumed',
    relied: 'The actions ask for `identity` and read what comes.',
    otherwise: 'The response cannot be read, and counts as unusable.',
    observe({ list, compressed }) {
      if (list === null) return NOT_OBSERVED
      const plain = list.first.headers['content-encoding'] ?? 'identity'
      const asked = compressed?.headers['content-encoding'] ?? 'none'
      return seen(plain === 'identity', `${plain}; asked for gzip: ${asked}`)
    },
  },
  {
    fact: 'Without `expiry`, a key never expires.',
    basis: 'documented',
    relied: 'The main step always sends one, and checks it in the response.',
    otherwise: 'Nothing changes.',
    observe: () => ({ holds: null, observed: 'not tested, to leave no such key' }),
  },
  {
    fact: 'A limit on keys is answered with 403.',
    basis: 'assumed',
    relied: 'The main step fails with the reason that the API gives.',
    otherwise: 'The main step fails with the status.',
    observe({ ended, creates }) {
      const last = creates.at(-1)?.answer
      const refused = ended !== null && last?.status === 403 && !isForeign(responseOf(last))
      return refused ? seen(true, '403 to create') : { holds: null, observed: 'not tested' }
    },
  },
]
