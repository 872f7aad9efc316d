/** The variables by which Node decides which certificate authorities it trusts. */
export const AUTHORITIES = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_USE_SYSTEM_CA']
/** The variables that name a proxy, or the hosts that need none; each is read in both cases. */
export const PROXIES = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'].flatMap((name) => [
  name,
  name.toLowerCase(),
])

/** The variables that decide which authorities this process trusts and which way its requests go, with their values. */
export function networkSettings(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    [...AUTHORITIES, ...PROXIES].flatMap((name) => {
      const value = env[name]
      return value ? [[name, value]] : []
    }),
  )
}

/** Masking a shorter user name, such as `ci`, would ruin the log; a longer one without a password may be a token. */
const MIN_TOKEN_LENGTH = 8

/**
 * What to mask of the logins in the proxy variables: each password and `user:password`, as written and decoded. Reads
 * malformed addresses too, as they are saved all the same.
 */
export function proxyLogins(env: NodeJS.ProcessEnv): string[] {
  const logins = PROXIES.flatMap((name) => {
    const [, user = '', password] =
      /^\s*(?:[a-z][a-z\d+.-]*:\/\/)?([^:]*?)(?::(.*))?@/is.exec(env[name] ?? '') ?? []
    if (password) return [password, `${user}:${password}`]
    return user.length >= MIN_TOKEN_LENGTH ? [user] : []
  })
  return [...new Set(logins.flatMap((login) => [login, percentDecoded(login)]))]
}

/** decodeURIComponent, or the text as it is where that cannot be decoded. */
export function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
