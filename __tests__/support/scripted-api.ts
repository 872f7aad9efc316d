import type { ApiFailure, ApiResult, KeyApi, KeyList, ListedKey } from '../../src/api/key-api.ts'
import { type Budget, createBudget } from '../../src/retry/budget.ts'
import { clockOn, createTime, type VirtualTime } from '../simulation/time.ts'

/** A row of the account's list; by default, with the id as its prefix. */
export function rowOf(id: string, more: Partial<ListedKey> = {}): ListedKey {
  return { id, prefix: id, createdAt: null, expiresAt: null, unreadable: null, ...more }
}

/** A list that can be believed, unless told otherwise. */
export function listOf(keys: ListedKey[], more: Partial<KeyList> = {}): KeyList {
  return { keys, doubt: null, pages: 1, ...more }
}

/** A result that succeeded; `skew` is the server's clock less ours, in milliseconds. */
export function ok<T>(value: T, skew: number | null = null): ApiResult<T> {
  return { ok: true, skew, value }
}

/** A result that failed, for good unless told otherwise. */
export function failed(more: Partial<ApiFailure>, skew: number | null = null): ApiResult<never> {
  const message = `failure ${more.status ?? ''}`.trim()
  return { ok: false, skew, failure: { message, mayHaveActed: false, retryable: false, ...more } }
}

export const status = (code: number) => failed({ status: code })
/** A 401 of something in front of the API. */
export const gate = failed({ status: 401, notFromApi: true, retryable: true })
export const unreachable = failed({ message: 'unreachable', retryable: true, mayHaveActed: true })

/** What a scripted API answers to each kind of call: in turn, the last answer again and again; or by the call. */
export interface Script {
  revoke?: ApiResult<null>[] | ((credential: string, id: string) => ApiResult<null>)
  probe?: ApiResult<null>[] | ((credential: string) => ApiResult<null>)
  list?: ApiResult<KeyList>[] | ((credential: string) => ApiResult<KeyList>)
}

export interface ScriptedApi {
  api: KeyApi
  time: VirtualTime
  /** Every call as `<ms> <name> <credential> [<id>]`. */
  calls: string[]
  clock: ReturnType<typeof clockOn>
  budgetOf(ms: number): Budget
  /** Runs `work` in virtual time; the result, and how long it took in milliseconds. */
  run<T>(work: Promise<T>): Promise<{ value: T; took: number }>
}

type Answers<T> = ApiResult<T>[] | ((credential: string, id: string) => ApiResult<T>) | undefined

/** An API that takes no time and answers by `script`, from `start` on in virtual time. */
export function scriptApi(script: Script, start = 0): ScriptedApi {
  const time = createTime(start)
  const clock = clockOn(time, 0, () => true)
  const calls: string[] = []
  const note = (call: string) => void calls.push(`${time.now() - start} ${call}`)
  const revoke = answerFrom('revoke', script.revoke, note)
  const probe = answerFrom('probe', script.probe, note)
  const list = answerFrom('list', script.list, note)
  return {
    api: {
      create: () => Promise.reject(new Error('nothing is created here')),
      revoke: (credential, id) => revoke(credential, id),
      probe: (credential) => probe(credential),
      list: (credential) => () => list(credential),
    },
    ...{ time, calls, clock },
    budgetOf: (ms) => createBudget({ deadline: start + ms, clock }),
    async run(work) {
      let took = 0
      const noted = work.then((value) => {
        took = time.now() - start
        return value
      })
      await time.runUntil(noted)
      return { value: await noted, took }
    },
  }
}

/** Notes each call, and answers it. */
function answerFrom<T>(name: string, given: Answers<T>, note: (call: string) => void) {
  let count = 0
  return async (credential: string, id = ''): Promise<ApiResult<T>> => {
    note(`${name} ${credential} ${id}`.trim())
    if (typeof given === 'function') return given(credential, id)
    const result = given?.[Math.min(count++, given.length - 1)]
    if (result === undefined) throw new Error(`no ${name} was expected here`)
    return result
  }
}
