import { MIN_CREDENTIAL_LENGTH } from '../src/runner/masking.ts'
import { sanitizeLine } from '../src/runner/sanitize.ts'

const MAX_LENGTH = 300

/** `text` with *** in place of each secret that is long enough to be one. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets
    .filter(({ length }) => length >= MIN_CREDENTIAL_LENGTH)
    .reduce((rest, secret) => rest.replaceAll(secret, '***'), text)
}

/** Text of the API's for the log: one line, not too long, without a command, a secret, or what could be one. */
export function oneLine(text: string, secrets: readonly string[]): string {
  const hidden = withoutSecrets(text, secrets).replace(/[\w+=-]{24,}/g, (run) =>
    // Such as the name of a header.
    /^[a-z_-]+$/.test(run) ? run : '***',
  )
  return sanitizeLine(hidden).slice(0, MAX_LENGTH).trimEnd()
}

/** The same for a cell of a table, which may be wrapped, or be Markdown. */
export function cell(text: string, secrets: readonly string[]): string {
  return oneLine(text, secrets)
    .replace(/[^ -~]|[<>[\]]/g, '?')
    .replace(/:(?=:)/g, ': ')
}
