/** No credential is shorter; masking a value such as `true` would ruin the log. */
export const MIN_CREDENTIAL_LENGTH = 8

/** What a log must not show, if not shorter than `shortest`. The runner masks no hex or base64url. */
export function maskedForms(secret: string, shortest = 3): string[] {
  const bytes = Buffer.from(secret, 'utf8')
  const lines = secret.split(/[\r\n]+/)
  const forms = [
    ...(lines.some((line) => line !== '' && line.length < shortest) ? [] : [secret]),
    ...lines,
    bytes.toString('base64'),
    bytes.toString('base64url'),
    bytes.toString('hex'),
    // Half a surrogate pair has no URL form.
    secret.isWellFormed() ? encodeURIComponent(secret) : '',
    JSON.stringify(secret).slice(1, -1),
  ]
  if (secret.trim().length < shortest) return []
  return [...new Set(forms)].filter((form) => form.trim().length >= shortest)
}
