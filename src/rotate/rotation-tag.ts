/** What one rotation keeps up to date: one secret in one place, for one API. */
export interface Rotation {
  /** Base URL of the API, without a trailing slash. */
  apiUrl: string
  /** What `githubServer` returns: names of organizations and ids of repositories are only unique on one server. */
  server: string
  /** `repo:ID` with the repository's numeric id, or `org:NAME`. */
  scope: string
  /** Empty where the secret does not belong to an environment. */
  environment: string
  secret: string
}

/** The tag's range: 26 bits, so that the expiry of a new key is at most 37.3 hours earlier than asked. */
export const TAG_RANGE = 2 ** 26
/** The longest lifetime of a key that the main action creates, in milliseconds: a rotated key always outlives it. */
export const MAX_EPHEMERAL_LIFETIME_MS = 5 * 24 * 3_600_000

/**
 * The tag that the expiry of every key of `rotation` carries: the first 26 bits of SHA-256 over its name. GitHub
 * compares organizations, environments and secrets without case, so the tag does as well.
 */
export function rotationTag(
  { apiUrl, server, scope, environment, secret }: Rotation,
  sha256: (text: string) => Uint8Array,
): number {
  const place = [server, scope, environment].map((part) => part.toLowerCase())
  const name = [apiUrl, ...place, secret.toUpperCase()].join('\n')
  const [first = 0, second = 0, third = 0, fourth = 0] = sha256(name)
  return first * 2 ** 18 + second * 2 ** 10 + third * 2 ** 2 + (fourth >> 6)
}

/** The server whose API is at `githubApiUrl`, by the name that people know: github.com for https://api.github.com. */
export function githubServer(githubApiUrl: string): string {
  return new URL(githubApiUrl).host.replace(/^api\./, '')
}

/** When a key was created and when it expires, in milliseconds since 1970. */
interface KeyTimes {
  createdAt: number | null
  expiresAt: number | null
}

/** Whether a rotation may have made a key: it outlives keys of the main action, and expires in no first millisecond. */
export function canHaveRotationTag({ createdAt, expiresAt }: KeyTimes): boolean {
  if (createdAt === null || expiresAt === null) return false
  return expiresAt - createdAt > MAX_EPHEMERAL_LIFETIME_MS && Math.floor(expiresAt) % 1000 !== 0
}

/**
 * Whether a key was made by the rotation with this tag: its expiry is also congruent to the tag modulo 2^26 ms,
 * microseconds aside. A random expiry fits with a probability of 1.5e-8.
 */
export function hasRotationTag(key: KeyTimes, tag: number): boolean {
  return canHaveRotationTag(key) && Math.floor(Number(key.expiresAt)) % TAG_RANGE === tag
}
