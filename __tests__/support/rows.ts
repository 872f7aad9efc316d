import type { StoredKey } from './account-state.ts'
import { type Grid, quantize, type SpellingOptions, spell } from './instants.ts'

/** How ids are given: as text, as a number, as a number beyond 2^53, or under another name. */
export type IdForm = 'hex' | 'integer' | 'big' | 'renamed'

export interface RowOptions extends SpellingOptions {
  idForm?: IdForm | undefined
  /** The step on which `created` is stored. */
  createdGrid?: Grid
  /** How far `created` is wrong, in ms. */
  createdErrorMs?: number | undefined
  /** `created` is not in local time. */
  localExpiryOnly?: boolean | undefined
  /** Ids are given in another form. */
  otherIds?: boolean | undefined
  /** What the rows of the list lack. */
  without?: 'created' | 'expiry' | 'times' | undefined
}

/** What the API says of a key, in a list or beside a token. */
export function rowOf(key: StoredKey, options: RowOptions): Record<string, unknown> {
  const { idForm = 'hex', createdGrid = '1 us', createdErrorMs = 0, without } = options
  const ofCreated = options.localExpiryOnly ? { ...options, localShiftMs: 0 } : options
  const created = spell(
    quantize(key.created + createdErrorMs + (key.nodeErrorMs ?? 0), createdGrid),
    ofCreated,
  )
  const expiry = key.expiry === null ? null : spell(key.expiry, options)
  return {
    ...(options.otherIds ? { id: OTHER_ID + key.id } : idOf(key.id, idForm)),
    token_key: key.token_key,
    ...(without === 'created' || without === 'times' ? {} : { created }),
    ...(without === 'expiry' || without === 'times' ? {} : { expiry }),
    ...(key.unreadable && { [key.unreadable]: key.unreadable === 'id' ? null : 'some day' }),
  }
}

function idOf(id: string, form: IdForm): Record<string, unknown> {
  switch (form) {
    case 'hex':
      return { id }
    case 'integer':
      return { id: Number(id) }
    case 'big':
      return { id: `${RAW}${id}` }
    case 'renamed':
      return { uuid: id }
  }
}

/** Before an id in its other form. */
const OTHER_ID = 'key_'

/** The id in its usual form. */
export function usualId(id: string): string {
  return id.startsWith(OTHER_ID) ? id.slice(OTHER_ID.length) : id
}

/** Marks digits that JSON.stringify could only write with a loss. */
const RAW = '@number@'

/** JSON in which such digits stand as numbers, every one of them. */
export function rawNumbers(json: string): string {
  return json.includes(RAW) ? json.replace(/"@number@(\d+)"/g, '$1') : json
}
