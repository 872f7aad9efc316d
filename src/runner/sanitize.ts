/**
 * `text` as one line that the runner does not obey: it takes `::name::` at the start of a line and `##[name]`
 * anywhere as a command (actions/runner, ActionCommand.TryParse). Invisible characters, which can hide or reorder
 * text, become `?`.
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
 * A prefix or ID from the API: at most 200 characters, with `?` for all that could end a code span or table cell, or
 * start a command, tag or link.
 */
export function sanitizeName(text: string): string {
  return text.replace(/[^\w.~+/=:-]/g, '?').slice(0, 200)
}

/** The runner silently cuts annotations at 4,096 characters. */
const MAX_ANNOTATION_LENGTH = 4_000
const CUT_NOTE = '... (truncated; the full text is in the log of this step)'

export function truncateAnnotation(line: string): string {
  if (line.length <= MAX_ANNOTATION_LENGTH) return line
  return `${line.slice(0, MAX_ANNOTATION_LENGTH - CUT_NOTE.length)}${CUT_NOTE}`
}
