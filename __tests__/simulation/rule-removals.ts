import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** One rule of the protocol, taken out of a copy of `src`: the simulation has to notice. */
export interface RuleRemoval {
  rule: string
  file: string
  /** This text, which stands in the file exactly once, … */
  from: string
  /** … gives way to this. */
  to: string
}

/*
 * Each rule that weighs an answer needs a removal here as soon as its code is merged. In brackets: what in the world
 * shows that it is gone.
 *
 * - Proof needs a granted revocation, or an expiry that has passed: a 401 alone is none. ['replicas that lag']
 * - A 401 that asks for another scheme, or is HTML, is not the API's. ['a gate asks for a password']
 * - A created key is ours by its token, its `created` and its expiry. ["another job's answer", 'an old key answered',
 *   'an earlier answer replayed', 'api-key answered']
 * - A key that was answered slowly may have a twin, which is looked for. ['POST repeated by a gateway']
 * - Absence is believed of complete, current lists alone. ['list in pages of an unknown kind', 'stale list',
 *   'ids beyond 2^53', 'rows without times']
 * - The grid is learned; a near miss on an unknown or coarser one is unclear. ['expiries on a coarser grid']
 * - `created` outranks `Date`. ['wrong Date']
 * - `Date` is bounded. ['503 with a wrong date']
 * - The lifetime counts by the server's clock, for seconds too. ['clock some seconds wrong']
 * - The revocation of a known key is post's first request. ['the first request of post was not ...']
 * - Post goes on while it has time. ['API down', with an unanswered create request]
 * - A damaged entry of the record costs no other. ['a damaged entry in the record']
 * - A time that cannot be read is not one that is absent. ['times in another spelling', 'times that cannot be read']
 * - Post warns of a request that a server may still carry out after the grace. ['acts after the grace']
 * - Two unreadable successes in a row are the last. ['every success is unreadable']
 */
export const RULE_REMOVALS: RuleRemoval[] = [
  {
    rule: 'the intent: main saves what it is about to ask for',
    file: 'protocol/journal.ts',
    from: 'intents = [...intents, intent]\n      save()',
    to: 'intents = [...intents, intent]',
  },
  {
    rule: 'the lookup: a lost reply is looked up',
    file: 'protocol/revoke-orphans.ts',
    from: '  const listed = await listKeys(credentials, tools, budget)\n  if (!listed.ok) return intents.map',
    to: "  if (intents.length > 0) return intents.map(() => ({ kind: 'absent' }))\n  const listed = await listKeys(credentials, tools, budget)\n  if (!listed.ok) return intents.map",
  },
  {
    rule: 'the compensation: main ends the key that it cannot hand over',
    file: 'protocol/issue-key.ts',
    from: '    await revokeHeldKeys(journal, deps, inputs.apiKey)\n',
    to: '',
  },
  {
    rule: 'the proof: only a 401 to the key itself counts',
    file: 'protocol/revoke-and-verify.ts',
    from: '    if (token === null) {',
    to: "    if (answered === 'revoked') return { dead: true, verified: true, already: false }\n    if (token === null) {",
  },
  {
    rule: 'the uniqueness rule: of several that match, none is revoked',
    file: 'protocol/intent.ts',
    from: 'only && exact.length === 1 && !intent.ambiguous',
    to: 'only && !intent.ambiguous',
  },
]

/** The same for what is simulated of many jobs at once. */
export const RULE_REMOVALS_AT_SCALE = {
  patience: {
    rule: 'the patience: post waits for its turn at a throttled API',
    file: 'protocol/revoke-keys.ts',
    from: 'const MAX_THROTTLE_WAIT_MS = 30 * 60_000',
    to: 'const MAX_THROTTLE_WAIT_MS = 0',
  },
  spread: {
    rule: 'the spread: throttled jobs do not return together',
    file: 'protocol/issue-key.ts',
    from: 'const THROTTLE_JITTER = 2',
    to: 'const THROTTLE_JITTER = 0',
  },
} satisfies Record<string, RuleRemoval>

/** Calls `use` with the folder of a copy of `src` without the rule, which is gone afterwards. */
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

/** `source` without the rule. Throws where the text of the removal is not there exactly once: it has to be kept up. */
function remove({ rule, file, from, to }: RuleRemoval, source: string): string {
  if (source.split(from).length !== 2)
    throw new Error(`${file} no longer holds the text that removes ${rule}`)
  return source.replace(from, () => to)
}
