/** No API key or token is shorter. Masking a shorter value, such as `true`, would hide it wherever the log has it. */
export const MIN_CREDENTIAL_LENGTH = 8

/**
 * Every form of `secret` that a log must not show: the value, its lines, and what common tools make of it. The runner
 * masks base64, URI and JSON forms itself, but not hex or base64url; act masks exact values only. Leaves out lines and
 * forms shorter than `shortest`, and a value with such lines, as the runner masks a value line by line.
 */
export function maskedForms(secret: string, shortest = 1): string[] {
  const bytes = Buffer.from(secret, 'utf8')
  const lines = secret.split(/[\r\n]+/)
  const forms = [
    ...(lines.some((line) => isTooShort(line, shortest)) ? [] : [secret]),
    ...lines,
    bytes.toString('base64'),
    bytes.toString('base64url'),
    bytes.toString('hex'),
    urlEncoded(secret),
    JSON.stringify(secret).slice(1, -1),
  ]
  if (secret.trim().length < shortest) return []
  return [...new Set(forms)].filter((form) => form.trim().length >= shortest)
}

/** Whether the runner would mask this line of a secret, though it is too short; it skips empty lines. */
function isTooShort(line: string, shortest: number): boolean {
  return line !== '' && line.length < shortest
}

/** encodeURIComponent, which throws on half a surrogate pair; such a value has no URL form to mask. */
function urlEncoded(secret: string): string {
  return secret.isWellFormed() ? encodeURIComponent(secret) : ''
}
