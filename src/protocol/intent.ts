/**
 * What one create request asked for, kept so that the key can be recognised if the reply is lost. The API lets a
 * client choose nothing but `expiry`, so the expiry itself is the mark. All times are milliseconds since 1970.
 */
export interface Intent {
  /** The expiry asked for, by the server's clock. */
  expiry: number
  /** When the request was sent and when waiting for its answer ends, by this machine's clock. */
  sentAt: number
  deadline: number
  /** Asked in whole seconds, because the server refuses fractions: other runs may well have asked for the same. */
  ambiguous: boolean
}

/** How long after a lost request's deadline a slow server may still carry it out. */
export const LATE_WRITE_GRACE_MS = 15_000

/** At most this part of the lifetime is given up to make the expiry one that no other run is likely to ask for. */
const MAX_SHORTENING = 0.05

/** How far `created` may lie outside the window of the request: the Date header has whole seconds, and takes a while. */
const CLOCK_SLACK_MS = 5_000
/** The same where no answer told the server's time; a wrong clock is only corrected beyond a minute. */
const UNKNOWN_CLOCK_SLACK_MS = 65_000

/**
 * Chooses the expiry of one create request: `lifetime` from now by the server's clock, less a random part of at most
 * 5 %, never more. `skew` is the server's clock less ours; `random` is in [0, 1). Times in milliseconds.
 */
export function createIntent(
  now: number,
  skew: number,
  lifetime: number,
  timeout: number,
  ambiguous: boolean,
  random: number,
): Intent {
  const instant = Math.floor(now + skew + lifetime - random * lifetime * MAX_SHORTENING)
  const wholeSeconds = Math.floor(instant / 1000) * 1000
  // Never a whole second by chance: on a server that drops fractions, that would match keys of other runs.
  const expiry = ambiguous ? wholeSeconds : instant === wholeSeconds ? instant - 1 : instant
  return { expiry, sentAt: now, deadline: now + timeout, ambiguous }
}

/** A key as the account's list shows it. */
export interface ListedKey {
  id: string
  prefix: string
  /** Instants in milliseconds since 1970; null where the list gives none. */
  createdAt: number | null
  expiresAt: number | null
  /** The field that could not be read, or null. */
  unreadable: string | null
}

export type Match =
  | { kind: 'absent' }
  | { kind: 'found'; key: ListedKey }
  /** Something is there that may be the lost key, but cannot be told from another run's. */
  | { kind: 'unclear'; candidates: ListedKey[] }

/**
 * Looks in the account's list for the key that the request of `mark` made. Found only if exactly one key, made in the
 * window of the request, has exactly the expiry asked for; keys known to be somebody's (`known` ids) are left out.
 * `skew` is the server's clock less ours, or null where no answer told.
 */
export function findMatch(
  intent: Intent,
  list: ListedKey[],
  known: ReadonlySet<string>,
  skew: number | null,
): Match {
  const slack = skew === null ? UNKNOWN_CLOCK_SLACK_MS : CLOCK_SLACK_MS
  const from = intent.sentAt + (skew ?? 0) - slack
  const to = intent.deadline + LATE_WRITE_GRACE_MS + (skew ?? 0) + slack
  const others = list.filter(({ id }) => !known.has(id))
  const possible = others.filter(
    ({ createdAt, expiresAt }) =>
      createdAt !== null &&
      from <= createdAt &&
      createdAt <= to &&
      // A server that keeps no fractions, or rounds them, moves the expiry by less than a second; one that
      // ignores it makes a key without.
      (expiresAt === null || Math.abs(expiresAt - intent.expiry) < 1000),
  )
  const marked = ({ expiresAt }: ListedKey) => expiresAt === intent.expiry
  const exact = possible.filter(marked)
  const [only] = exact
  if (only && exact.length === 1 && !intent.ambiguous) return { kind: 'found', key: only }
  // Keys that miss the mark by milliseconds are other runs' where the server keeps milliseconds, and only worth a
  // warning where it does not: there every expiry ends in whole seconds, or there is none.
  const rounded = possible.filter(({ expiresAt }) => expiresAt === null || expiresAt % 1000 === 0)
  // One that has the mark, but was made at another time, may be ours where a clock was wrong.
  const otherTime = intent.ambiguous ? [] : others.filter(marked)
  const candidates = [exact, otherTime, rounded].find(({ length }) => length > 0) ?? []
  return candidates.length > 0 ? { kind: 'unclear', candidates } : { kind: 'absent' }
}
