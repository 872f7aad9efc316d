import { formatExactly } from '../../src/util/instant.ts'
import type { StoredKey } from '../support/account.ts'
import { GRID_STEP_US, UNREADABLE_SPELLINGS } from '../support/instants.ts'
import type { Job, PostRun } from './job.ts'
import { isListReadable, type Spell, START } from './world.ts'

/**
 * Why a key of this run may be valid after the post step, or null if nothing excuses it. Each excuse is a limit
 * that "What this cannot do" in docs/design.md lists, and all but the first need a warning by which a person finds it.
 */
export function excuseFor(key: StoredKey, job: Job, posts: readonly PostRun[]): string | null {
  const { evidence } = job
  if (evidence.unsigned.has(key.token)) return 'repeated request without a sign'
  const last = posts.at(-1)
  if (!last || !isPointedAt(key, job, { ...last, texts: last.troubles })) return null
  if (last.validWhenKilled !== null) return 'post was killed'
  const excuse = noApi(job, last) ?? noApiKey(key, job, last)
  if (excuse !== null) return excuse
  // A key that post knew by its id needs no look-up, so nothing about look-ups excuses it.
  if (isKnown(key, last.record)) return null
  if (evidence.veryLate.has(key.token)) return 'made after the grace'
  return shared(key, job, last) ?? unreadable(job, last) ?? unmarked(key, job, last) ?? unlisted(job)
}

/**
 * Whether these texts name the key, or the expiry that its request asked for. A key that post knew has to be named
 * itself. Of several requests, a text names the earliest expiry.
 */
export function isPointedAt(
  key: StoredKey,
  { evidence }: Job,
  { record, texts }: { record: string; texts: readonly string[] },
): boolean {
  // Of a key whose value was not shown, post prints less.
  const shown = record.includes(key.token) ? key.token_key : key.token_key.slice(0, 8)
  if (texts.some((text) => text.includes(shown))) return true
  const asked = evidence.askedFor.get(key.token)
  if (isKnown(key, record) || asked === undefined) return false
  const named = texts.flatMap((text) => [...text.matchAll(/for a key that expires (\S+Z)( or later)?/g)])
  return named.some(([, at = '', orLater]) =>
    orLater ? Date.parse(at) <= asked : at === formatExactly(asked),
  )
}

/** Whether the record for post describes the key, with its value or without. */
function isKnown({ token, id }: StoredKey, record: string): boolean {
  return record.includes(token) || record.includes(`"id":"${id}"`)
}

/** Whether these texts name the key, or another one of the same request: of many, post names three. */
function isNamed({ token }: StoredKey, { account, evidence }: Job, texts: readonly string[]): boolean {
  const { askedFor } = evidence
  const alike = account.keys().filter((other) => askedFor.get(other.token) === askedFor.get(token))
  return alike.some(({ token_key }) => texts.some((text) => text.includes(token_key)))
}

/**
 * Post named this key, and there is one that it could not tell from it: another run's with the same expiry (on a server
 * that keeps milliseconds, one of the next millisecond may be it), or a second one of the same unanswered request.
 */
function shared(key: StoredKey, job: Job, { record, troubles }: PostRun): string | null {
  const { expiry } = key
  if (expiry === null || !isNamed(key, job, troubles)) return null
  const { account, world } = job
  const apart = world.server.grid === '1 ms' ? 1 : 0
  const others = account.foreign().filter(({ revoked }) => !revoked)
  if (others.some((other) => Math.abs(Number(other.expiry) - expiry) <= apart))
    return 'several keys with one marker'
  // A key that post knew, or has revoked, is no reason to leave its twin.
  const twins = account.keys().filter((other) => other !== key && !other.revoked && other.expiry === expiry)
  return twins.some(({ token }) => !record.includes(token)) ? 'two keys of one request' : null
}

/** The post step's time in ms, less the longest pause between two attempts: whatever gives up sooner has time left. */
const WHOLE_POST_MS = 38_000

const LONG_SPELL_MS = 10_000

/** For much of its time, post could not reach the API, or something else answered for it. */
function noApi({ world }: Job, post: PostRun): string | null {
  if (post.tookMs < WHOLE_POST_MS) return null
  const { outage, gate } = world
  if (delays(outage, post)) return 'API down during post'
  return delays(gate, post) ? 'a gate answered during post' : null
}

/** `api-key` could do nothing for this key, and the key could not revoke itself, or nobody knew its value. */
function noApiKey(key: StoredKey, job: Job, post: PostRun): string | null {
  const { hardship, server } = job.world
  if (post.record.includes(key.token) && (server.selfRevocation ?? 'allowed') === 'allowed') return null
  if (hardship === 'trusted certificates changed') return 'api-key must not be sent'
  if (hardship === 'api-key may not revoke' && isNamed(key, job, post.troubles))
    return 'api-key may not revoke'
  const isRefused = post.apiKeyRefused || hardship === 'api-key has ended'
  return isRefused && post.tookMs >= WHOLE_POST_MS ? 'api-key was refused' : null
}

/** Whether it cost post so much time that, after backoffs and other faults, there may be none left. */
function delays(spell: Spell | null, { startedAt, tookMs }: PostRun): boolean {
  if (spell === null) return false
  const start = spell.since === 'main' ? START : startedAt
  const [from, to] = [Math.max(start + spell.from, startedAt), Math.min(start + spell.to, startedAt + tookMs)]
  return to - from >= LONG_SPELL_MS
}

/** Nothing showed the id of the key, and post looked for it until its time was over. */
function unreadable({ world }: Job, { tookMs }: PostRun): string | null {
  if (tookMs < WHOLE_POST_MS) return null
  if (world.unreadable) return 'every success is unreadable'
  return world.server.idForm === 'renamed' ? 'ids that cannot be read' : null
}

/** The list does not show the requested expiry. */
function unmarked(key: StoredKey, { world }: Job, { record }: PostRun): string | null {
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
  // Of an answered request: a twin is known by the expiry of the response.
  const [, stored] = /"stored":(\d[\d.]*)/.exec(record) ?? []
  const isRounded = repeatsExpiry === 'in seconds' || repeatsExpiry === 'in milliseconds'
  if (isRounded && stored !== undefined && stored !== String(key.expiry))
    return 'a response that rounds otherwise'
  if (UNREADABLE_SPELLINGS.some((spelling) => spelling === timeForm)) return 'times that cannot be read'
  return localShiftMs && localExpiryOnly ? 'local time without an offset' : null
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
