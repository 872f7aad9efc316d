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
    from: 'if (token !== null) return prove(token, answered, tools, budget)',
    to: "if (token !== null && typeof answered === 'object') return prove(token, answered, tools, budget)\n  if (token !== null) return { dead: true, verified: true, already: false }",
  },
  {
    rule: 'the uniqueness rule: of several that match, none is revoked',
    file: 'mark.ts',
    from: 'only && exact.length === 1 && !mark.weak',
    to: 'only && !mark.weak',
  },
]

/** `source` without the rule. Throws where the text of the removal is not there exactly once: it has to be kept up. */
export function remove({ rule, file, from, to }: Removal, source: string): string {
  if (source.split(from).length !== 2)
    throw new Error(`${file} no longer holds the text that removes ${rule}`)
  return source.replace(from, () => to)
}
