import type { ApiFailure, ApiResult, CallLimits } from '../api/key-api.ts'
import { type Budget, createBudget, retry } from '../retry/budget.ts'
import { type BeforeWrite, readSecret, waitUntilShown } from './confirm-write.ts'
import type { RotateDeps } from './deps.ts'
import type { PublicKey, SecretInfo, SecretValue } from './github-secrets.ts'
import type { FreshKey } from './new-key.ts'
import { type Place, permissionFor, placeLabel, type Repository, secretsPaths } from './places.ts'

/** A place whose secret exists and whose public key is known. */
export interface Target {
  place: Place
  path: string
  /** The name of the secret. */
  secret: string
  publicKey: PublicKey
  /** Which repositories may use an organization's secret: sent back with every write, so that it does not change. */
  audience: Pick<SecretValue, 'visibility' | 'selected_repository_ids'>
  /** When the secret was last written (see SecretInfo). */
  updatedAt: number | null
}

/** The result of writing. Only `refused` proves that no place holds the new key. */
export type WriteResult =
  /** `confirmed`: GitHub shows that each secret changed. Without a readable `updated_at`, it only acknowledged that. */
  | { kind: 'written'; confirmed: boolean; notes: string[] }
  | { kind: 'refused'; reason: string }
  | { kind: 'unclear'; reason: string }

/** A write needs at least this much time, in milliseconds. */
const MIN_ATTEMPT_MS = 1_000
const MAX_PAGES = 200
/** How long it may take to confirm that a refused write did not change the secret, in milliseconds. */
const CONFIRM_REFUSAL_MS = 30_000
/** How often a key is written to a place while GitHub acknowledges that but does not show it. */
const MAX_WRITES = 2

/**
 * Reads what is needed to write the secret in one place. Throws an Error if it does not exist there: otherwise a typo
 * would create a second secret while the key in the real one expires.
 */
export async function inspectPlace(
  { place, secret, repository }: { place: Place; secret: string; repository: Repository },
  deps: RotateDeps,
  budget: Budget,
): Promise<Target> {
  const ask = <T>(attempt: (limits: CallLimits) => Promise<ApiResult<T>>) =>
    retry(attempt, { budget, random: deps.random })
  const permission = permissionFor(place)
  for (const path of secretsPaths(place, repository)) {
    const at = { place, path, secret }
    const found = await ask(() => readSecret(at, deps, budget))
    if (!found.ok && found.failure.status === 404 && !found.failure.notFromApi) continue
    const info = valueOrThrow(found, place)
    const publicKey = valueOrThrow(await ask((limits) => deps.secrets.publicKey({ path, permission }, limits)), place)
    const { visibility, updatedAt } = info
    if (place.kind !== 'organization') return { ...at, publicKey, updatedAt, audience: {} }
    if (visibility === null)
      throw new Error(`GitHub did not return the visibility of ${secret} in ${placeLabel(place)}. No key was created.`)
    const ids = visibility === 'selected' ? await readSelected(at, deps, budget) : null
    return { ...at, publicKey, updatedAt, audience: { visibility, ...(ids && { selected_repository_ids: ids }) } }
  }
  throw new Error(
    `There is no secret ${secret} in ${placeLabel(place)}, or github-token cannot see it (404). No key was created. ` +
      `Check the inputs secret, environment and copies, and that the token has access to it ("${permission}").`,
  )
}

/** The ids of all repositories that may use an organization's secret. */
async function readSelected(
  { place, path, secret }: Pick<Target, 'place' | 'path' | 'secret'>,
  { secrets, random }: RotateDeps,
  budget: Budget,
): Promise<number[]> {
  const at = { path, name: secret }
  const ids = new Set<number>()
  for (let page = 1; page <= MAX_PAGES; page++) {
    const reply = await retry((limits) => secrets.selectedRepositories(at, page, limits), { budget, random })
    const { total, ids: more } = valueOrThrow(reply, place)
    for (const id of more) ids.add(id)
    if (ids.size === total) return [...ids]
    if (more.length === 0) break
  }
  throw new Error(
    `Could not read all repositories that may use ${secret} in ${placeLabel(place)}. No key was created; run the workflow again.`,
  )
}

function valueOrThrow<T>(reply: ApiResult<T>, place: Place): T {
  if (reply.ok) return reply.value
  throw new Error(
    `Could not look up the secret in ${placeLabel(place)}: ${reply.failure.message}. This run created no key.`,
  )
}

/**
 * Writes the key to every place, in this order, until `writeUntil`. Writing the same value twice is harmless, so
 * everything but a clear refusal is retried. Stops at the first place that fails or does not show the write: the place
 * that the key in hand came from is the last, so a later run rotates again and writes every place.
 */
export async function writePlaces(
  { key: { token }, writeUntil }: FreshKey,
  targets: readonly Target[],
  deps: RotateDeps,
): Promise<WriteResult> {
  const budget = createBudget({ deadline: writeUntil, clock: deps.clock, cancellation: deps.cancellation })
  const notes: string[] = []
  let confirmed = true
  for (const [index, target] of targets.entries()) {
    const { reply, acted } = await writeUntilShown({ token, target }, deps, budget)
    const label = placeLabel(target.place)
    if (!reply.ok) {
      const reason = `writing the secret in ${label} failed: ${reply.failure.message}`
      return { kind: index === 0 && !acted ? 'refused' : 'unclear', reason }
    }
    if (reply.value.created) notes.push(`The secret in ${label} had been deleted and was created again.`)
    if (reply.value.confirmed) continue
    confirmed = false
    notes.push(
      `GitHub does not say when the secret in ${label} was updated, so only its acknowledgment shows the write.`,
    )
  }
  return { kind: 'written', confirmed, notes }
}

/** A key, and where to write it. */
interface Write {
  token: string
  target: Target
}

/** The last response, and whether any attempt may have changed the secret. */
interface Written<T> {
  reply: ApiResult<T>
  acted: boolean
}

/** `refused`: GitHub refused an attempt, or something that answers in its form. */
interface Sent<T> extends Written<T> {
  refused: boolean
}

/** Writes the key to one place until GitHub shows that the secret changed. */
async function writeUntilShown(
  { token, target }: Write,
  deps: RotateDeps,
  budget: Budget,
): Promise<Written<{ created: boolean; confirmed: boolean }>> {
  const read = await retry(() => readSecret(target, deps, budget), { budget, random: deps.random })
  const before = namingCancellation(read, deps)
  // Without the secret (404), the write creates it.
  if (!before.ok && (before.failure.status !== 404 || before.failure.notFromApi)) return { reply: before, acted: false }
  const updatedAt = latest(target, before)
  let acted = false
  for (let writes = 1; ; writes++) {
    const written = await writePlace({ token, target }, deps, budget)
    acted ||= written.acted
    const { reply } = written
    if (!reply.ok && !acted && written.refused) {
      const confirmed = await confirmRefusal(reply, { target, updatedAt }, deps)
      // A write within the second of another one shows nothing; the next one is in a later second.
      if (writes > 1 || confirmed.acted || budget.left() < MIN_ATTEMPT_MS) return confirmed
      continue
    }
    if (!reply.ok) return { reply, acted }
    if (budget.left() === 0)
      return { reply: notSent(deps.cancellation.requestedAt === null ? ANSWERED_LATE : CANCELLED), acted }
    const { visibility, reason } = await waitUntilShown({ target, updatedAt }, deps, budget)
    if (visibility !== 'not shown') {
      // A 201 alone is no proof that it had been deleted.
      const value = { created: reply.value.created && !before.ok, confirmed: visibility === 'shown' }
      return { reply: { ...reply, value }, acted }
    }
    // The write may have come within the same second as another run's, or have been lost: the same value again.
    if (writes === MAX_WRITES || budget.left() < MIN_ATTEMPT_MS) return { reply: notSent(reason), acted }
  }
}

/** A refusal proves that nothing was written only if GitHub also shows the secret unchanged. */
async function confirmRefusal(
  reply: ApiResult<never> & { ok: false },
  before: BeforeWrite,
  deps: RotateDeps,
): Promise<Written<never>> {
  const { clock, cancellation } = deps
  const budget = createBudget({ deadline: clock.now() + CONFIRM_REFUSAL_MS, clock, cancellation })
  const { unchanged } = await waitUntilShown(before, deps, budget)
  if (unchanged) return { reply, acted: false }
  return { reply: notSent(`${reply.failure.message}; nothing shows that the secret is unchanged`), acted: true }
}

/** The later of two readings: one of them may come from a replica that lags. */
function latest({ updatedAt }: Target, before: ApiResult<SecretInfo>): number | null {
  const again = before.ok ? before.value.updatedAt : null
  return updatedAt === null || again === null ? (updatedAt ?? again) : Math.max(updatedAt, again)
}

async function writePlace(
  { token, target }: Write,
  deps: RotateDeps,
  budget: Budget,
): Promise<Sent<{ created: boolean }>> {
  const { secrets, seal, random } = deps
  const { path, secret, audience } = target
  const permission = permissionFor(target.place)
  let { publicKey } = target
  let acted = false
  let refused = false
  const write = async (limits: CallLimits) => {
    // A machine that slept may wake up after the time for writing.
    if (budget.left() < MIN_ATTEMPT_MS) return TOO_LATE
    const encrypted = sealed(seal, token, publicKey)
    if (encrypted === null) return UNUSABLE_KEY
    const value = { encrypted_value: encrypted, key_id: publicKey.id, ...audience }
    const reply = namingCancellation(await secrets.write({ path, name: secret, permission }, value, limits), deps)
    acted ||= reply.ok || reply.failure.mayHaveActed
    refused ||= !reply.ok && reply.failure.status !== undefined
    return reply
  }
  const reply = await retry(write, { budget, random })
  if (reply.ok || reply.failure.status !== 422) return { reply, acted, refused }
  // Probably GitHub replaced its public key after we read it.
  const fresh = await retry((limits) => secrets.publicKey({ path, permission }, limits), { budget, random })
  if (!fresh.ok || fresh.value.id === publicKey.id) return { reply, acted, refused }
  publicKey = fresh.value
  const again = await retry(write, { budget, random })
  return { reply: again, acted, refused }
}

/** The encrypted value, or null if the public key is unusable. */
function sealed(seal: RotateDeps['seal'], token: string, { key }: PublicKey): string | null {
  try {
    return seal(token, key)
  } catch {
    return null
  }
}

/** A request that a cancellation cut short has no other cause. */
function namingCancellation<T>(reply: ApiResult<T>, { cancellation }: RotateDeps): ApiResult<T> {
  if (reply.ok || reply.failure.status !== undefined || cancellation.requestedAt === null) return reply
  return { ...reply, failure: { ...reply.failure, message: `${reply.failure.message} (the job was cancelled)` } }
}

function notSent(message: string): ApiResult<never> {
  const failure: ApiFailure = { message, mayHaveActed: false, retryable: false }
  return { ok: false, skew: null, failure }
}

const TOO_LATE = notSent('more than ten minutes have passed since the key was created, or the job was cancelled')
/** Requests are cut off in time, so the machine slept: the write may have left it after that. */
const ANSWERED_LATE =
  'GitHub answered more than ten minutes after the key was created, so the write may have come too late'
const CANCELLED = 'the job was cancelled before GitHub answered, so the write may have come too late'
const UNUSABLE_KEY = notSent('GitHub sent an unusable public key')
