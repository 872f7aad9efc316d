/** The variables by which Node decides which certificate authorities it trusts; those that name a file come first. */
const FILES = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE']
export const AUTHORITIES = [...FILES, 'SSL_CERT_DIR', 'NODE_USE_SYSTEM_CA']
/** The variables that name a proxy, or the hosts that need none; each is read in both cases. */
export const PROXIES = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'].flatMap((name) => [
  name,
  name.toLowerCase(),
])

/**
 * The variables that decide whom this process trusts and which way its requests go, with their values; for a
 * file, a digest of its content too, so that a later step that swaps the file is noticed. Unset variables are
 * left out. `digest` gives null for a file that cannot be read.
 */
export function networkSettings(
  env: NodeJS.ProcessEnv,
  digest: (path: string) => string | null,
): Record<string, string> {
  const set = [...AUTHORITIES, ...PROXIES].flatMap((name) => (env[name] ? [[name, env[name]] as const] : []))
  return Object.fromEntries(
    set.map(([name, value]) => [
      name,
      FILES.includes(name) ? `${value} ${digest(value) ?? 'unreadable'}` : value,
    ]),
  )
}
