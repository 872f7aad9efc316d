/**
 * Every form of `secret` that a log should not show: itself, its lines, and what common tools make of it. The runner
 * masks base64, URI and JSON forms of its own accord, but neither hex nor base64url; act masks exact texts only.
 * Never an empty one, which would mask everything.
 */
export function maskedForms(secret: string): string[] {
  const bytes = Buffer.from(secret, 'utf8')
  const forms = [
    secret,
    ...secret.split(/[\r\n]+/),
    bytes.toString('base64'),
    bytes.toString('base64url'),
    bytes.toString('hex'),
    urlEncoded(secret),
    JSON.stringify(secret).slice(1, -1),
  ]
  return [...new Set(forms)].filter((form) => form.trim() !== '')
}

/** encodeURIComponent, which throws on half a surrogate pair; such a text has no URL form to mask. */
function urlEncoded(secret: string): string {
  return secret.isWellFormed() ? encodeURIComponent(secret) : ''
}
