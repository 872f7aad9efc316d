/**
 * `text` as one line that the runner prints but never obeys. The runner takes `::name::` at the start of a line, after
 * blanks, and `##[name]` anywhere in a line as a command (actions/runner, ActionCommand.TryParse). Control, format and
 * other invisible characters become `?`: they can hide a command or reorder what a person reads.
 */
export function sanitizeLine(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/[\p{C}\p{DI}]/gu, '?')
    .replace(/##(?=\[)/g, '# #')
    .replace(/^::/, ': :')
}

/**
 * A key's prefix or ID, which come from the API, for a log line, a code span or a table cell: at most 200 characters,
 * `?` for all that could end one of these or start a command, a tag or a link.
 */
export function sanitizeName(text: string): string {
  return text.replace(/[^\w.~+/=:-]/g, '?').slice(0, 200)
}

/** The runner cuts annotations at 4,096 characters without saying so. */
const MAX_ANNOTATION_LENGTH = 4_000
const CUT_NOTE = '... (truncated; the full text is in the log of this step)'

/** `line`, or as much of it as fits into an annotation, with a note on where the rest is. */
export function truncateAnnotation(line: string): string {
  if (line.length <= MAX_ANNOTATION_LENGTH) return line
  return `${line.slice(0, MAX_ANNOTATION_LENGTH - CUT_NOTE.length)}${CUT_NOTE}`
}
