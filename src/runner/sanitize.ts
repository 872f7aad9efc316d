/** As a literal, it would take 1 ms of every start. */
const INVISIBLE = '[\\p{C}\\p{DI}]'

/** One line without commands: `::name::` at its start, `##[name]` anywhere (ActionCommand.TryParse). */
export function sanitizeLine(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/[^ -~]+/g, (other) => other.replace(new RegExp(INVISIBLE, 'gu'), '?'))
    .replace(/##(?=\[)/g, '# #')
    .replace(/^::/, ': :')
}

/** At most 200 characters, none that could end a code span or cell, or start a command, tag or link. */
export function sanitizeName(text: string): string {
  return text.replace(/[^\w.~+/=:-]/g, '?').slice(0, 200)
}

/** The runner silently cuts at 4,096 characters. */
const MAX_ANNOTATION_LENGTH = 4_000
const CUT_NOTE = '... (truncated; the full text is in the log of this step)'

/** With a note that it was cut. */
export function truncateAnnotation(line: string): string {
  if (line.length <= MAX_ANNOTATION_LENGTH) return line
  return `${line.slice(0, MAX_ANNOTATION_LENGTH - CUT_NOTE.length)}${CUT_NOTE}`
}
