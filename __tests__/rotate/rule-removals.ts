import type { RuleRemoval } from '../simulation/rule-removals.ts'

/** `options` of the simulation, where the usual ones do not notice the removal, or only late. */
interface RotationRuleRemoval extends RuleRemoval {
  options?: string[]
}

/** Rules that only matter on a server without `updated_at`; elsewhere, the last updates of the places imply them. */
const WITHOUT_UPDATED_AT = ['--without-updated-at']

/** Rules of the rotation, taken out one at a time: the simulation has to notice each. */
export const ROTATION_RULE_REMOVALS: RotationRuleRemoval[] = [
  {
    rule: 'the gap: a retired key was created an hour or more before the key in hand',
    file: 'rotate/decisions.ts',
    from: 'export const MIN_GAP_MS = HOUR_MS',
    to: 'export const MIN_GAP_MS = 0',
  },
  {
    rule: 'the ten minutes: a key is written soon after its creation or never',
    file: 'rotate/decisions.ts',
    from: 'export const WRITE_WITHIN_MS = 10 * 60 * 1000',
    to: 'export const WRITE_WITHIN_MS = 100 * 24 * HOUR_MS',
  },
  {
    rule: 'own keys only: a key without the tag is never retired',
    file: 'rotate/decisions.ts',
    from: 'return key.unreadable === null && hasRotationTag(key, tag)',
    to: 'return key.unreadable === null || tag > 0',
  },
  {
    rule: 'the server: another GitHub server may have a repository with the same id',
    file: 'rotate/rotation-tag.ts',
    from: '[server, scope, environment].map',
    to: '[scope, environment].map',
  },
  {
    rule: 'the key in hand is own: a person may have written a key long after its creation',
    file: 'rotate/decisions.ts',
    from: 'if (current.createdAt === null || !isOwn(current, tag)) return []',
    to: 'if (current.createdAt === null) return []',
    options: WITHOUT_UPDATED_AT,
  },
  {
    rule: 'the overlap: a replaced key stays valid for the runs that were queued with it',
    file: 'rotate/decisions.ts',
    from: 'return createdAt + overlap + OVERLAP_MARGIN_MS',
    to: 'return createdAt + overlap * 0',
  },
  {
    rule: 'the order of places: the one of the key in hand is written last',
    file: 'rotate/decisions.ts',
    from: 'return [...copies, home]',
    to: 'return [home, ...copies]',
    options: WITHOUT_UPDATED_AT,
  },
  {
    rule: "the microseconds: a key that another run requested is not this run's",
    file: 'rotate/decisions.ts',
    from: 'hasMicroseconds(expiresAt) && toMicros(expiresAt) !== toMicros(asked)',
    to: 'toMicros(expiresAt) < 0',
    options: ['--from', '9261'],
  },
  {
    rule: 'the record: the post step knows that a write may have reached GitHub',
    file: 'rotate/rotate-key.ts',
    from: '    record.writing()\n',
    to: '',
  },
  {
    rule: 'the doubt: a key that may have been written is not revoked',
    file: 'rotate/write-places.ts',
    from: "index === 0 && !acted ? 'refused' : 'unclear'",
    to: "'refused'",
  },
  {
    rule: 'the confirmation: a write counts once GitHub shows that the secret changed',
    file: 'rotate/decisions.ts',
    from: "return after !== null && wholeSecond(after) > wholeSecond(before) ? 'shown' : 'not shown'",
    to: "return 'shown'",
  },
  {
    rule: 'the redirect: what redirects a write may have passed it on',
    file: 'rotate/github-secrets.ts',
    from: 'mayHaveActed: true, retryable: false }',
    to: 'mayHaveActed: false, retryable: false }',
  },
  {
    rule: 'the refusal: it is proven once GitHub also shows the secret unchanged',
    file: 'rotate/write-places.ts',
    from: 'const confirmed = await confirmRefusal(reply, { target, updatedAt }, deps)',
    to: 'const confirmed = { reply, acted: false }\n      if (confirmed) return confirmed',
  },
  {
    rule: 'the clocks: the overlap is over by every clock that may be right',
    file: 'rotate/rotate-key.ts',
    from: 'deps.clock.now() + Math.min(0, skew)',
    to: 'deps.clock.now() + skew',
  },
  {
    rule: 'the updates: no place was written within the overlap, because a stale run knows fewer copies',
    file: 'rotate/decisions.ts',
    from: 'if (updates.some((at) => at !== null && now <= retirableAt(at, { overlap }))) return []',
    to: '',
    options: ['--from', '10942'],
  },
  {
    rule: 'the emergency: it succeeds only if no old key may still be valid',
    file: 'rotate/emergency.ts',
    from: 'if (problems.length === 0) return null',
    to: 'if (problems.length >= 0) return null',
  },
  {
    rule: 'the places: one that holds an older key than the key in hand is written at once',
    file: 'rotate/rotate-key.ts',
    from: 'if (!isOlder && apart === null) continue',
    to: 'continue',
  },
  {
    rule: 'the shadow: beside copies, home may hold an older key as each of them may',
    file: 'rotate/decisions.ts',
    from: 'if (updates.length === 1 || current.createdAt === null) return false',
    to: 'if (index === updates.length - 1 || current.createdAt === null) return false',
  },
  {
    rule: 'the creation: a copy that was written after home may hold any key',
    file: 'rotate/decisions.ts',
    from: "return updatedAt > homeUpdatedAt + WRITE_MARGIN_MS ? 'after' : null",
    to: 'return null',
  },
  {
    rule: 'the put-back: a key that is put back repeatedly is not replaced every time',
    file: 'rotate/expiry-warning.ts',
    from: 'wasWrittenByOthers(homeUpdatedAt, newest) && !wasReplacedBefore(newer, newest)',
    to: 'wasWrittenByOthers(homeUpdatedAt, newest)',
  },
  {
    rule: 'the pause: what writes home every day does not cause a rotation every day',
    file: 'rotate/decisions.ts',
    from: 'const LATELY_MS = 2 * DAY_MS',
    to: 'const LATELY_MS = 0',
  },
  {
    rule: 'the copies: while a place was last written before the key in hand was created, no key is retired',
    file: 'rotate/decisions.ts',
    from: 'return updatedAt < wholeSecond(current.createdAt) - CREATED_AHEAD_MS',
    to: 'return false',
  },
  {
    rule: 'the retirement: what was replaced longer ago than the overlap is revoked, orphans too',
    file: 'rotate/decisions.ts',
    from: 'if (isOwn(key, tag)) return key.createdAt <= currentCreatedAt - MIN_GAP_MS',
    to: 'if (isOwn(key, tag)) return false',
  },
]
