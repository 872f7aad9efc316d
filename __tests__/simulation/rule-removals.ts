import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** One rule of the protocol, and the change that removes it from a copy of `src`: the simulation must notice. */
export interface RuleRemoval {
  rule: string
  /** The first seed of the 20,000 that catches it; another one may as the simulation changes. */
  caughtBy?: number
  file: string
  /** This text, which the file contains exactly once, is replaced by `to`. */
  from: string
  to: string
}

/** A rule that weighs an answer needs its removal here as soon as it is merged. */
export const RULE_REMOVALS: RuleRemoval[] = [
  // Which keys there may be.
  {
    rule: 'a create request is recorded before it is sent',
    caughtBy: 10009,
    file: 'protocol/issue-key.ts',
    from: '  journal.recordIntent(intent)\n',
    to: '',
  },
  {
    rule: 'a request without a usable response may have created a key',
    caughtBy: 10034,
    file: 'protocol/issue-key.ts',
    from: 'if (!failure.mayHaveActed && !isRepeated) journal',
    to: 'journal',
  },
  {
    rule: 'a slow refusal may answer a repeated request',
    caughtBy: 10139,
    file: 'protocol/issue-key.ts',
    from: '!failure.mayHaveActed && !isRepeated',
    to: '!failure.mayHaveActed',
  },
  {
    rule: 'a slow response may mean that two keys were created',
    caughtBy: 10331,
    file: 'protocol/journal.ts',
    from: 'receivedAt - intent.sentAt < SLOW_RESPONSE_MS',
    to: 'receivedAt - intent.sentAt < Infinity',
  },
  {
    rule: "a request that was answered with another run's key may have created one",
    caughtBy: 2,
    file: 'protocol/issue-key.ts',
    from: "settle(intent, { ...intent, refused: verdict.isKnown || !(answer.prefix || answer.id) ? '' : described })",
    to: 'settle(intent)',
  },
  {
    rule: 'a damaged entry of the record costs no other entry',
    caughtBy: 10095,
    file: 'protocol/parse-state.ts',
    from: 'return sound\n',
    to: 'return sound.length < found.length ? [] : sound\n',
  },
  // What main does with a key.
  {
    rule: 'a key is masked before anything else is done with it',
    caughtBy: 1,
    file: 'protocol/issue-key.ts',
    from: "  for (const form of maskedForms(answer.token ?? '', MIN_CREDENTIAL_LENGTH)) runner.setSecret(form)\n",
    to: '',
  },
  {
    rule: 'the main step revokes keys that it cannot hand over',
    caughtBy: 1536,
    file: 'protocol/issue-key.ts',
    from: '    await revokeHeldKeys(context, CLEANUP_TIMEOUT_MS)\n',
    to: '',
  },
  {
    rule: 'two unusable successes in a row are permanent',
    caughtBy: 10094,
    file: 'protocol/next-attempt.ts',
    from: ' || hopeless >= MAX_HOPELESS',
    to: '',
  },
  // Whether a key is this run's.
  {
    rule: "a key that was created before the request is not this run's",
    caughtBy: 105,
    file: 'protocol/judge-created.ts',
    from: 'const isFresh = isWithin(created, { ...window, isStrict: dateSkew !== null })',
    to: 'const isFresh = true',
  },
  {
    rule: "a key of earlier that got the requested expiry is not this run's",
    caughtBy: 118,
    file: 'protocol/judge-created.ts',
    from: "if (fit === 'exact' && !isOld) return null",
    to: "if (fit === 'exact') return null",
  },
  {
    rule: "a key with another expiry is not this run's",
    caughtBy: 30,
    file: 'protocol/judge-created.ts',
    from: "if (fit === 'near' || (isFresh && (expiresAt === null || isCapped(key, intent)))) return null",
    to: 'if (isFresh) return null',
  },
  {
    rule: "a shorter lifetime is the API's limit only if it is whole minutes",
    caughtBy: 34,
    file: 'protocol/intent.ts',
    from: 'return lifetime >= 60_000 && Math.abs(lifetime - Math.round(lifetime / 60_000) * 60_000) <= 50',
    to: 'return true',
  },
  {
    rule: "a key whose lifetime the API limits is this run's",
    caughtBy: 10699,
    file: 'protocol/judge-created.ts',
    from: ' || isCapped(key, intent)',
    to: '',
  },
  {
    rule: 'local times without an offset are recognized',
    caughtBy: 158,
    file: 'protocol/intent.ts',
    from: "fitOf(intent, moved(expiresAt, nearest)) === 'none' ? 0 : nearest",
    to: '0',
  },
  // Clocks.
  {
    rule: "a lifetime counts by the server's clock",
    caughtBy: 10036,
    file: 'protocol/judge-created.ts',
    from: 'key.createdAt === null ? otherwise : key.createdAt - receivedAt',
    to: 'skew',
  },
  {
    rule: '`created` outranks `Date`',
    caughtBy: 20,
    file: 'protocol/judge-created.ts',
    from: 'key.createdAt === null ? otherwise',
    to: 'dateSkew !== null ? otherwise',
  },
  {
    rule: 'a `Date` that is more than a day off is not believed',
    caughtBy: 398,
    file: 'api/call.ts',
    from: 'Math.abs(skew) <= MAX_DATE_SKEW_MS',
    to: '!Number.isNaN(skew)',
  },
  {
    rule: 'a `Date` that a cache gives is not of now',
    caughtBy: 16129,
    file: 'api/call.ts',
    from: '  if (isStored(headers)) return null\n',
    to: '',
  },
  {
    rule: 'a 400 of something in front of the API shows no clock',
    caughtBy: 718,
    file: 'protocol/issue-key.ts',
    from: ' && !failure.notFromApi && Math',
    to: ' && Math',
  },
  {
    rule: 'an orphan is not old because the server that made it is behind',
    caughtBy: 15049,
    file: 'protocol/resolve-intents.ts',
    from: ', createdAt: null }, context)',
    to: ' }, context)',
  },
  {
    rule: 'a key is looked for by the clock of the server',
    caughtBy: 325,
    file: 'protocol/resolve-intents.ts',
    from: 'dateSkew: read.skew }',
    to: 'dateSkew: null, skew: null }',
  },
  {
    rule: 'a key is looked for by the clock as it was before it was set',
    caughtBy: 10295,
    file: 'protocol/match-intent.ts',
    from: '[0, shift].some(',
    to: '[0].some(',
  },
  {
    rule: 'a key whose expiry the server computed anew may be ours',
    caughtBy: 1613,
    file: 'protocol/intent.ts',
    from: 'MAX_DRIFT_MS ? Infinity : NaN',
    to: 'MAX_DRIFT_MS ? NaN : NaN',
  },
  {
    rule: "only the API's own JSON proves that a request created no key",
    caughtBy: 241,
    file: 'api/api-failure.ts',
    from: ' || notFromApi || answer === undefined)',
    to: ')',
  },
  {
    rule: 'the twin of a key has the expiry of that key',
    caughtBy: 433,
    file: 'protocol/match-intent.ts',
    from: '!isRoundedOtherwise(intent, expiresAt) && ',
    to: '',
  },
  {
    rule: 'an error that holds a key does not prove that none was created',
    caughtBy: 1064,
    file: 'api/api-failure.ts',
    from: 'mayHaveActed: hasKey || (',
    to: 'mayHaveActed: (',
  },
  {
    rule: 'a 429 that holds a key does not prove that none was created',
    caughtBy: 5147,
    file: 'api/api-failure.ts',
    from: 'mayHaveActed: hasKey || (!rateLimited && (',
    to: 'mayHaveActed: (!rateLimited && (hasKey || ',
  },
  {
    rule: 'a key that a cache gives belongs to another request',
    caughtBy: 981,
    file: 'api/parse-response.ts',
    from: 'parseJson(freshBody(response))\n  const token',
    to: 'parseJson(response.body)\n  const token',
  },
  {
    rule: 'a whole minute fits in some zone by chance',
    caughtBy: 2881,
    file: 'protocol/judge-created.ts',
    from: ' || Number(times.expiresAt) % 60_000 === 0',
    to: '',
  },
  {
    rule: 'without `created`, an expiry on a grid fits in some zone by chance',
    caughtBy: 99,
    file: 'protocol/judge-created.ts',
    from: 'createdAt === null || Number(',
    to: 'Number(',
  },
  // Whether a key is revoked.
  {
    rule: 'a grant that a cache gives proves nothing',
    caughtBy: 2177,
    file: 'api/parse-response.ts',
    from: "if (freshBody(response).trim() !== '') throw",
    to: "if (response.body.trim() !== '') throw",
  },
  {
    rule: 'a 401 that a cache gives proves nothing',
    caughtBy: 8096,
    file: 'api/api-failure.ts',
    from: '    isStored(headers) ||\n',
    to: '',
  },
  {
    rule: 'a 401 proves nothing unless a revocation was granted',
    caughtBy: 10136,
    file: 'protocol/revoke-and-verify.ts',
    from: 'return rejected && (granted || missing || expired)',
    to: 'return rejected',
  },
  {
    rule: 'a granted revocation proves nothing without a 401',
    caughtBy: 62,
    file: 'protocol/revoke-and-verify.ts',
    from: 'return rejected && (granted || missing || expired)',
    to: 'return granted || (rejected && (missing || expired))',
  },
  {
    rule: 'a 401 after a grant that was not carried out proves nothing',
    caughtBy: 8281,
    file: 'protocol/revoke-and-verify.ts',
    from: '    if (probed?.ok) revocation.granted = revocation.claimed = false\n',
    to: '',
  },
  {
    rule: 'a 401 that something in front of the API gave proves nothing',
    caughtBy: 8096,
    file: 'api/call.ts',
    from: ' && !result.failure.notFromApi',
    to: '',
  },
  {
    rule: 'a revocation that is answered with content was not granted',
    caughtBy: 1006,
    file: 'api/parse-response.ts',
    from: "if (freshBody(response).trim() !== '') throw",
    to: "if (freshBody(response).trim() === '{') throw",
  },
  {
    rule: 'another credential revokes what the key could not',
    caughtBy: 37,
    file: 'protocol/revoke-and-verify.ts',
    from: 'if (budget.left() <= PROBE_INTERVAL_MS) break',
    to: 'if (![401, 403, 404].includes(failure.status ?? 0)) break',
  },
  {
    rule: 'a replica that does not know a key may grant its revocation',
    caughtBy: 176,
    file: 'protocol/revoke-and-verify.ts',
    from: '(await isRealGrant(key, credential, revocation))',
    to: '!revocation.rejected',
  },
  {
    rule: 'a key is as old as the response that showed it, not as its request',
    caughtBy: 4411,
    file: 'protocol/journal.ts',
    from: 'createdAt - receivedAt',
    to: 'createdAt - intent.sentAt',
  },
  {
    rule: 'a key has expired only if every clock says so',
    caughtBy: 15737,
    file: 'protocol/revoke-and-verify.ts',
    from: 'clock.now() + Math.min(0, ...serverSkews)',
    to: 'clock.now()',
  },
  {
    rule: 'a revocation is retried while there is time',
    caughtBy: 278,
    file: 'protocol/revoke-and-verify.ts',
    from: 'const spare = refusals < 2 && !lacksList ?',
    to: 'const spare = round === 1 ?',
  },
  {
    rule: 'a refusal is final only while the API accepts the key',
    caughtBy: 381,
    file: 'protocol/revoke-and-verify.ts',
    from: ' && probed?.ok !== false',
    to: '',
  },
  {
    rule: 'a refusal is final only if no credential may still be granted the revocation',
    caughtBy: 1688,
    file: 'protocol/revoke-and-verify.ts',
    from: '!revocation.mayPass) refusals++',
    to: '!mayChange(refusal)) refusals++',
  },
  {
    rule: 'a credential waits for no limit of the other',
    caughtBy: 1,
    file: 'protocol/revoke-and-verify.ts',
    from: '  let asked = turns\n',
    to: '  let asked = turns.slice(0, 1)\n',
  },
  {
    rule: 'a failure of one credential is retried while the other is limited',
    caughtBy: 717,
    file: 'protocol/revoke-and-verify.ts',
    from: 'if (mayChange(refusal)) turns.push',
    to: 'if (isRateLimited(refusal)) turns.push',
  },
  {
    rule: 'a replica that does not know the key is asked again while the other credential is limited',
    caughtBy: 12389,
    file: 'protocol/revoke-and-verify.ts',
    from: 'if (mayChange(refusal)) turns.push',
    to: 'if (retryable) turns.push',
  },
  {
    rule: 'a limit extends the time of post while the other credential is asked',
    caughtBy: 186,
    file: 'protocol/revoke-and-verify.ts',
    from: '    if (limited && limited !== next) budget.extend(limited.dueAt - clock.now())\n',
    to: '',
  },
  {
    rule: 'post names what is not settled when the runner stops it',
    caughtBy: 484,
    file: 'protocol/revoke-keys.ts',
    from: "  stopping.addEventListener('abort', warnOfRest)\n",
    to: '',
  },
  {
    rule: 'a look-up goes on after a failure that would be final in main',
    caughtBy: 951,
    file: 'protocol/resolve-intents.ts',
    from: 'credential !== null && !/^3/',
    to: 'read.failure.retryable && !/^3/',
  },
  {
    rule: 'what answers every request with an empty success has revoked nothing',
    caughtBy: 280,
    file: 'protocol/revoke-and-verify.ts',
    from: 'if (!result.ok && result.failure.unusable && result.failure.status) revocation',
    to: 'if (false) revocation',
  },
  // What a list shows.
  {
    rule: 'no key waits for the proof of another',
    caughtBy: 7163,
    file: 'protocol/resolve-intents.ts',
    from: 'matchIntent(intent, list.keys, ',
    to: 'matchIntent(intent, unsettled.size > 0 ? [] : list.keys, ',
  },
  {
    rule: 'the post step looks for a twin until the first key is gone',
    // Rarer than one in 20,000.
    caughtBy: 23433,
    file: 'protocol/resolve-intents.ts',
    from: 'wasUnsettled || context.unsettled.size > 0',
    to: 'false',
  },
  {
    rule: 'a grant does not show that an orphan is gone',
    caughtBy: 157,
    file: 'protocol/revoke-and-verify.ts',
    from: 'if (verified || revocation.missing)',
    to: 'if (verified || revocation.missing || (token === null && revocation.granted))',
  },
  {
    rule: 'a key is not gone because a doubtful list does not show it',
    caughtBy: 6374,
    file: 'protocol/list-trust.ts',
    from: 'if (!read.ok || doubtAbout(read.value, credential, gone) !== null) return false',
    to: 'if (!read.ok) return false',
  },
  {
    rule: 'a key without a value is revoked by its id',
    caughtBy: 222,
    file: 'protocol/issue-key.ts',
    from: '  journal.recordKey(',
    to: '  if (sendable === null) journal.settle(intent)\n  else journal.recordKey(',
  },
  {
    rule: 'a doubtful list does not show that there is no orphan',
    caughtBy: 84,
    file: 'protocol/resolve-intents.ts',
    from: "read.ok ? doubtAbout(list, credential ?? '', gone) :",
    to: 'read.ok ? null :',
  },
  {
    rule: 'a list with rows that cannot be read is doubtful',
    caughtBy: 5029,
    file: 'api/key-api.ts',
    from: 'unread > 0 &&',
    to: 'false &&',
  },
  {
    rule: 'a list with further pages of an unknown kind is doubtful',
    caughtBy: 12444,
    file: 'api/key-api.ts',
    from: '(isOdd || hasHeader(PARTIAL, headers)) &&',
    to: 'false &&',
  },
  {
    rule: 'a list that shows fewer keys than it counts is doubtful',
    caughtBy: 13068,
    file: 'api/key-api.ts',
    from: 'url === null && page.count !== null && page.count !== new Set(keys.map(({ id }) => id)).size',
    to: 'false',
  },
  {
    rule: 'a list of several pages is read twice',
    caughtBy: 10056,
    file: 'protocol/list-trust.ts',
    from: 'first.ok && first.value.pages > 1 ? await read() : first',
    to: 'first',
  },
  {
    rule: 'ids beyond 2^53 keep their digits',
    caughtBy: 127,
    file: 'api/parse-response.ts',
    from: 'return JSON.parse(body, keepDigits)',
    to: 'return JSON.parse(body)',
  },
  // Which key is the orphan.
  {
    rule: 'the post step looks for orphans',
    caughtBy: 2,
    file: 'protocol/resolve-intents.ts',
    from: 'if (intents.length === 0) return []',
    to: 'if (intents.length >= 0) return []',
  },
  {
    rule: 'of several keys that match, none is revoked',
    caughtBy: 112,
    file: 'protocol/match-intent.ts',
    from: 'if (only && !another)',
    to: 'if (only)',
  },
  {
    rule: 'an orphan was created when the request was under way',
    caughtBy: 13687,
    file: 'protocol/match-intent.ts',
    from: 'exact.filter(({ createdAt }) => wasThen(createdAt))',
    to: 'exact',
  },
  {
    rule: 'a near miss is ambiguous',
    caughtBy: 11438,
    file: 'protocol/intent.ts',
    from: "return needed > 1000 || isWholeSecond || mayBeCoarse ? 'near' : 'exact'",
    to: "return 'exact'",
  },
  {
    rule: 'an expiry that may be on a coarse grid is ambiguous',
    caughtBy: 3078,
    file: 'protocol/intent.ts',
    from: 'isWholeSecond || mayBeCoarse',
    to: 'isWholeSecond',
  },
  {
    rule: 'a list without fine expiries does not show a fine grid',
    caughtBy: 3078,
    file: 'protocol/match-intent.ts',
    from: 'Math.min(grid, listGrid)',
    to: 'Math.min(grid, 1000)',
  },
  {
    rule: 'an expiry shows a fine grid only if no coarse one has it',
    caughtBy: 1139,
    file: 'protocol/match-intent.ts',
    from: 'if (!stored.every(isOnCoarseGrid)) return 1000',
    to: 'if (stored.length > 0) return 1000',
  },
  {
    rule: 'a key that main holds is recognized in another form',
    caughtBy: 10745,
    file: 'protocol/resolve-intents.ts',
    from: 'isRowOf(key, row) || (byPrefix.length === 1 && byPrefix[0] === row)',
    to: 'isRowOf(key, row)',
  },
  {
    rule: '`Date` and our clock outvote `created`',
    caughtBy: 118,
    file: 'protocol/judge-created.ts',
    from: '(isDated || created < intent.sentAt)',
    to: 'created < intent.sentAt',
  },
  {
    rule: 'an expiry that the response only repeats shows no grid',
    caughtBy: 157,
    file: 'protocol/match-intent.ts',
    from: '(grid === 1 ? [] : (expiry ?? []))',
    to: '(expiry ?? [])',
  },
  // Which credential may be sent.
  {
    rule: 'api-key is not sent under changed certificate settings',
    caughtBy: 43,
    file: 'protocol/revoke-keys.ts',
    from: 'credential: changed.length === 0 ? state.apiKey : null',
    to: 'credential: state.apiKey',
  },
  // The order and the end of post.
  {
    rule: 'the post step revokes the keys that it knows first',
    caughtBy: 42,
    file: 'protocol/revoke-keys.ts',
    from: '  const revoking = revokeHeldKeys(',
    to: '  await resolveIntents(intents, { ...context, budget: newBudget() })\n  const revoking = revokeHeldKeys(',
  },
  {
    rule: 'the post step watches until a slow server has acted',
    caughtBy: 112,
    file: 'protocol/resolve-intents.ts',
    from: 'clock.now() >= watchUntil',
    to: 'clock.now() >= 0',
  },
  {
    rule: 'the post step warns of a request that may still be carried out',
    caughtBy: 11811,
    file: 'protocol/resolve-intents.ts',
    from: 'if (isAnswered || now >= intent.deadline + LATEST_WRITE_MS) return {}',
    to: 'if (isWatched) return {}',
  },
]

/** The same for many jobs at once. */
export const RULE_REMOVALS_AT_SCALE = {
  patience: {
    rule: 'the post step waiting for its turn at an API that limits the rate',
    file: 'protocol/revoke-keys.ts',
    from: 'const MAX_THROTTLE_WAIT_MS = 30 * 60_000',
    to: 'const MAX_THROTTLE_WAIT_MS = 0',
  },
  spread: {
    rule: 'rate-limited jobs spreading their retries',
    file: 'protocol/next-attempt.ts',
    from: 'const THROTTLE_JITTER = 2',
    to: 'const THROTTLE_JITTER = 0',
  },
} satisfies Record<string, RuleRemoval>

/** Calls `use` with the folder of a copy of `src` without the rule, and deletes it afterwards. */
export async function withoutRule<T>(removal: RuleRemoval, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'removal-'))
  try {
    cpSync(fileURLToPath(new URL('../../src', import.meta.url)), folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    const path = join(folder, removal.file)
    writeFileSync(path, remove(removal, readFileSync(path, 'utf8')))
    return await use(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** `source` without the rule. Throws unless it contains the text of the removal exactly once: keep it up to date. */
function remove({ rule, file, from, to }: RuleRemoval, source: string): string {
  if (source.split(from).length !== 2)
    throw new Error(`${file} does not contain exactly once the text that removes: ${rule}`)
  return source.replace(from, () => to)
}
