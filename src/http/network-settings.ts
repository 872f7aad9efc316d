/** The variables by which Node decides which certificate authorities it trusts. */
export const AUTHORITIES = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_USE_SYSTEM_CA']
/** The variables that name a proxy, or the hosts that need none; each is read in both cases. */
export const PROXIES = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'].flatMap((name) => [
  name,
  name.toLowerCase(),
])

/**
 * The variables that decide whom this process trusts and which way its requests go, with their values; and with a
 * digest of the certificates to which they lead, as a later step may swap these. `digest` gives null for what cannot be
 * read.
 */
export function networkSettings(
  env: NodeJS.ProcessEnv,
  digest: (name: string, value: string) => string | null,
): Record<string, string> {
  const settings: Record<string, string> = {}
  for (const name of [...AUTHORITIES, ...PROXIES]) {
    const value = env[name]
    if (!value) continue
    settings[name] = AUTHORITIES.includes(name) ? `${value} ${digest(name, value) ?? 'unreadable'}` : value
  }
  return settings
}
