/** As a literal, it would take 1 ms of every start. */
const INVISIBLE = '[\\p{C}\\p{DI}]'

/** One line without commands: `::name::` at its start, `##[name]` anywhere (ActionCommand.TryParse). */
export function sanitizeLine(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim()
  const visible = line.replace(/[^ -~]+/g, (other) => other.replace(new RegExp(INVISIBLE, 'gu'), '?'))
  return visible.replace(/##(?=\[)/g, '# #').replace(/^::/, ': :')
}

/** At most 200 characters; none ends a code span or cell, or starts a command, tag or link. */
export function sanitizeName(text: string): string {
  return text.replace(/[^\w.~+/=:-]/g, '?').slice(0, 200)
}
