import fc from 'fast-check'

/**
 * The command that the runner would obey in one printed line, in either syntax, or null: `::name::` after leading
 * white space, or else `##[name]` anywhere (actions/runner, ActionCommand.TryParseV2 and TryParse). Characters without
 * a width of their own count as absent, as a culture-aware search ignores them.
 */
export function commandIn(line: string): string | null {
  const seen = line.replace(/[\p{Cc}\p{Cf}\p{DI}]/gu, '').trimStart()
  const newer = /^::(.*?)::/s.exec(seen)
  if (newer) return newer[1]?.split(' ')[0] ?? ''
  return /##\[([^\]]*)\]/s.exec(seen)?.[1]?.split(' ')[0] ?? null
}

/** The output of a process, split into lines as the runner does. */
export function linesOf(printed: string): string[] {
  return printed.split(/\r\n|\n|\r/).filter((line) => line !== '')
}

/** Text with many parts of commands. */
export const hostileText: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '##[',
        '#',
        '[',
        ']',
        '::',
        ':',
        'add-mask',
        'stop-commands',
        'error',
        ' ',
        '\t',
        '%0A',
        '%',
      ),
      fc.constantFrom('\n', '\r', '\r\n', '\u0085', '\u2028', '\u200b', '\u00ad', '\ufeff', '\0', '\u202e'),
      fc.string({ unit: 'binary', maxLength: 3 }),
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(''))
