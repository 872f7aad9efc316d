import type { AccountOptions } from './account.ts'

/** A way in which the API or something in front of it may behave, in one sentence, and the options that make it so. */
export interface EmulatorMode {
  behavior: string
  options: Partial<AccountOptions>
}

const HOUR_MS = 3_600_000

/** What `npm run emulator -- --mode NAME` offers; several can be combined. */
export const EMULATOR_MODES: Record<string, EmulatorMode> = {
  replicas: {
    behavior: 'Reads come from replicas that are up to 5 s behind.',
    options: { replicas: { freshMs: 5_000, revokedMs: 5_000, listMs: 5_000 } },
  },
  'password-gate': {
    behavior: 'A maintenance gate answers 401 and asks for Basic authentication.',
    options: { gate: () => 'basic' },
  },
  challenge: {
    behavior: 'A firewall answers 403 with a page of HTML.',
    options: { gate: () => 'challenge' },
  },
  page: { behavior: 'Everything is answered 200 with a page of HTML.', options: { gate: () => 'page' } },
  'authentication-down': {
    behavior: "Everything is answered 401, in the API's own words.",
    options: { gate: () => 'authentication down' },
  },
  unreadable: {
    behavior: 'Every success is compressed, though no one asked.',
    options: { unreadable: () => true },
  },
  'other-answer': {
    behavior: "A create request is answered with another job's key.",
    options: { createAnswer: () => "another job's, own made" },
  },
  'one-token': {
    behavior: 'A create request is answered with the credential that was used.',
    options: { createAnswer: () => 'api-key' },
  },
  twin: {
    behavior: 'Every create request is carried out twice.',
    options: { createAnswer: () => 'own twin' },
  },
  'error-in-200': {
    behavior: 'A create request is answered 200 with an error.',
    options: { createAnswer: () => 'error' },
  },
  milliseconds: { behavior: 'Expiries are stored in milliseconds.', options: { grid: '1 ms' } },
  datetime: { behavior: 'Expiries are stored in steps of 1/300 s.', options: { grid: '1/300 s' } },
  seconds: { behavior: 'Expiries are stored in whole seconds.', options: { grid: '1 s' } },
  minutes: { behavior: 'Expiries are stored in whole minutes.', options: { grid: '1 min' } },
  'three-digits': { behavior: 'More than three digits of a second are refused.', options: { maxDigits: 3 } },
  'no-fractions': { behavior: 'Fractions of a second are refused.', options: { maxDigits: 0 } },
  'no-expiry': { behavior: 'The expiry that is asked for is ignored.', options: { ignoreExpiry: true } },
  epoch: { behavior: 'Times are seconds since 1970.', options: { timeForm: 'epoch seconds' } },
  'unreadable-times': { behavior: 'Times are RFC 1123 dates.', options: { timeForm: 'RFC 1123' } },
  'local-time': {
    behavior: 'Times are local, five hours behind UTC, without a zone.',
    options: { localShiftMs: -5 * HOUR_MS },
  },
  'wrong-date': { behavior: 'The Date header is two hours ahead.', options: { dateErrorMs: 2 * HOUR_MS } },
  'stale-list': {
    behavior: 'The list is a minute old, as its Age says.',
    options: { listAge: () => 60_000 },
  },
  pages: {
    behavior: 'The list comes in pages of two, with `next`.',
    options: { listForm: 'paginated', pageSize: 2 },
  },
  'link-pages': {
    behavior: 'The list comes in pages of two, with a Link header.',
    options: { listForm: 'link header', pageSize: 2 },
  },
  'has-more': {
    behavior: 'The list has two rows, and says has_more.',
    options: { listForm: 'has_more', pageSize: 2 },
  },
  count: {
    behavior: 'The list has two rows, and a count of all.',
    options: { listForm: 'count', pageSize: 2 },
  },
  'big-ids': { behavior: 'Ids are numbers beyond 2^53.', options: { idForm: 'big' } },
  'other-ids': { behavior: 'The id has another name.', options: { idForm: 'renamed' } },
  'no-self-revocation': {
    behavior: 'A key may not revoke itself.',
    options: { selfRevocation: 'forbidden' },
  },
  'idle-revocation': {
    behavior: 'A revocation is answered 204 and not done.',
    options: { idleRevocation: true },
  },
}

/** The options of all the modes named. Throws an Error that lists what there is. */
export function optionsOfModes(names: readonly string[]): Partial<AccountOptions> {
  const unknown = names.find((name) => !EMULATOR_MODES[name])
  if (unknown !== undefined)
    throw new Error(`There is no mode ${unknown}. Modes: ${Object.keys(EMULATOR_MODES).join(', ')}`)
  return Object.assign({}, ...names.map((name) => EMULATOR_MODES[name]?.options))
}
