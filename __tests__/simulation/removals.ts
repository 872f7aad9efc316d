import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** One rule of the protocol, taken out of a copy of `src`: the simulation has to notice. */
export interface Removal {
  rule: string
  file: string
  /** This text, which stands in the file exactly once, … */
  from: string
  /** … gives way to this. */
  to: string
}

export const REMOVALS: Removal[] = [
  {
    rule: 'the intent: main saves what it is about to ask for',
    file: 'ledger.ts',
    from: 'marks = [...marks, mark]\n      save()',
    to: 'marks = [...marks, mark]',
  },
  {
    rule: 'the lookup: a lost reply is looked up',
    file: 'recover-key.ts',
    from: '  const listed = await listKeys(credentials, tools, budget)\n  if (!listed.ok) return marks.map',
    to: "  if (marks.length > 0) return marks.map(() => ({ kind: 'absent' }))\n  const listed = await listKeys(credentials, tools, budget)\n  if (!listed.ok) return marks.map",
  },
  {
    rule: 'the compensation: main ends the key that it cannot hand over',
    file: 'issue-key.ts',
    from: '    await endAll(ledger, surroundings, inputs.apiKey)\n',
    to: '',
  },
  {
    rule: 'the proof: only a 401 to the key itself counts',
    file: 'end-key.ts',
    from: '    if (token === null) {',
    to: "    if (answered === 'revoked') return { dead: true, verified: true, already: false }\n    if (token === null) {",
  },
  {
    rule: 'the uniqueness rule: of several that match, none is revoked',
    file: 'mark.ts',
    from: 'only && exact.length === 1 && !mark.weak',
    to: 'only && !mark.weak',
  },
]

/** The same for what is simulated of many jobs at once. */
export const REMOVALS_AT_SCALE = {
  patience: {
    rule: 'the patience: post waits for its turn at a throttled API',
    file: 'revoke-key.ts',
    from: 'const THROTTLED = 30 * 60_000',
    to: 'const THROTTLED = 0',
  },
  spread: {
    rule: 'the spread: throttled jobs do not return together',
    file: 'issue-key.ts',
    from: 'const HERD_SPREAD = 2',
    to: 'const HERD_SPREAD = 0',
  },
} satisfies Record<string, Removal>

/** Calls `use` with the folder of a copy of `src` without the rule, which is gone afterwards. */
export async function withoutRule<T>(removal: Removal, use: (folder: string) => Promise<T>): Promise<T> {
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
function remove({ rule, file, from, to }: Removal, source: string): string {
  if (source.split(from).length !== 2)
    throw new Error(`${file} no longer holds the text that removes ${rule}`)
  return source.replace(from, () => to)
}
