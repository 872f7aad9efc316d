import type { StoredKey } from '../support/account.ts'
import { GRID_STEP_US, UNREADABLE_SPELLINGS } from '../support/instants.ts'
import type { Job, PostRun } from './job.ts'
import { isUninterrupted } from './run-main.ts'
import { isListReadable, type Spell, START } from './world.ts'

/**
 * Why a key of this run may be valid after the post step, or null if nothing excuses it. Each excuse is a limit
 * that "What this cannot do" in docs/design.md lists, and all but the first need a warning by which a person finds it.
 */
export function excuseFor(key: StoredKey, job: Job, posts: readonly PostRun[]): string | null {
  const { evidence } = job
  if (evidence.unsigned.has(key.token)) return 'repeated request without a sign'
  const last = posts.at(-1)
  if (!last || !isPointedAt(key, last.troubles)) return null
  if (last.validWhenKilled !== null) return 'post was killed'
  const excuse = noApi(job, last) ?? unknownId(job)
  if (excuse !== null) return excuse
  // A key that post knew by its id needs no look-up, so nothing about look-ups excuses it.
  if (last.record.includes(key.token)) return null
  if (evidence.veryLate.has(key.token)) return 'made after the grace'
  if (evidence.ambiguous || isShared(key, job)) return 'several keys with one marker'
  return unmarked(key, job, last) ?? unlisted(job)
}

/** Whether these texts name the key, or the expiry that a request asked for. */
export function isPointedAt({ token_key }: StoredKey, texts: readonly string[]): boolean {
  return texts.some((text) => text.includes(token_key) || text.includes('for a key that expires'))
}

/** Another run's key has the same expiry; on a server that keeps milliseconds, one of the next millisecond may be it. */
function isShared({ expiry }: StoredKey, { account, world }: Job): boolean {
  const apart = world.server.grid === '1 ms' ? 1 : 0
  return (
    expiry !== null && account.foreign().some((other) => Math.abs(Number(other.expiry) - expiry) <= apart)
  )
}

/** The post step's time in ms, less the longest pause between two attempts: whatever gives up sooner has time left. */
const WHOLE_POST_MS = 38_000

/** The API could not be reached, or something else answered for it. */
function noApi({ world }: Job, post: PostRun): string | null {
  const { outage, gate, unreadable } = world
  const usedItsTime = post.tookMs >= WHOLE_POST_MS
  if (overlaps(outage, post) && usedItsTime) return 'API down during post'
  // The API gives this same answer to a revoked credential, so the post step may stop.
  if (overlaps(gate, post) && (usedItsTime || gate?.kind === 'authentication down'))
    return 'a gate answered during post'
  if (post.apiKeyRefused) return 'api-key was refused'
  return unreadable ? 'every success is unreadable' : null
}

function overlaps(spell: Spell | null, { startedAt, tookMs }: PostRun): boolean {
  if (spell === null) return false
  const start = spell.since === 'main' ? START : startedAt
  return start + spell.from < startedAt + tookMs && start + spell.to > startedAt
}

function unknownId({ world }: Job): string | null {
  return world.server.idForm === 'renamed' ? 'ids that cannot be read' : null
}

/** The list does not show the requested expiry. */
function unmarked(
  key: StoredKey,
  { world, evidence, interruption }: Job,
  { record }: PostRun,
): string | null {
  const {
    grid = '1 us',
    maxDigits = 6,
    ignoreExpiry,
    driftMs,
    repeatsExpiry,
    timeForm,
    localShiftMs,
    localExpiryOnly,
    maxLifetimeMs = Infinity,
  } = world.server
  const digitsUs = 10 ** (6 - maxDigits)
  if (ignoreExpiry) return 'expiry ignored'
  // By a wrong clock, a longer lifetime is requested than the workflow asks for.
  if (
    maxLifetimeMs <
    world.inputs.expiresIn + Math.max(Math.abs(world.clockError), Math.abs(localShiftMs ?? 0))
  )
    return 'lifetimes limited by the API'
  // A 400 of something in front of the API looks like one about digits.
  if (maxDigits === 0 || Number(key.expiry) % 1000 === 0) return 'whole seconds only'
  if (driftMs) return 'expiries computed anew'
  const isOfMilliseconds =
    grid === '1 ms' && (isFine(key.expiry) || (!repeatsExpiry && showsMilliseconds(record)))
  if (GRID_STEP_US[grid] > digitsUs && !isOfMilliseconds) return 'expiries on a coarser grid'
  if (UNREADABLE_SPELLINGS.some((spelling) => spelling === timeForm)) return 'times that cannot be read'
  // Such a key is recognized when the response to its request arrives.
  const isRecognized = evidence.delivered.has(key.token) && !world.failing && isUninterrupted(interruption)
  return localShiftMs && (localExpiryOnly || !isRecognized) ? 'local time without an offset' : null
}

/** Whether a key of the record has an expiry that only a grid of 1 ms explains, and that the response did not repeat. */
function showsMilliseconds(record: string): boolean {
  const keys = record.matchAll(/"expiresAt":(\d+),"token":[^,]*,"asked":([\d.]+)/g)
  return [...keys].some(([, at = '', asked]) => at !== asked && isFine(at))
}

/** Whether no grid that is coarser than 1 ms has these whole milliseconds. */
function isFine(milliseconds: string | number | null): boolean {
  return !/[037]$/.test(String(milliseconds))
}

/** The list, or the clock by which it is read, cannot show the key. */
function unlisted({ world }: Job): string | null {
  const { rowsWithout, dateErrorMs, createdErrorMs, nodeBehindMs } = world.server
  if (!isListReadable(world.server)) return 'list in pages of an unknown kind'
  if (rowsWithout) return 'rows without times'
  if (createdErrorMs) return 'wrong created'
  if (nodeBehindMs) return 'a node that is behind'
  return dateErrorMs ? 'wrong Date' : null
}
