/** The variables by which Node decides which certificate authorities it trusts. */
export const AUTHORITIES = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_USE_SYSTEM_CA']
/** The variables that name a proxy, or the hosts that need none; each is read in both cases. */
export const PROXIES = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'].flatMap((name) => [
  name,
  name.toLowerCase(),
])

/** The variables above that are set, with their values. */
export function networkSettings(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    [...AUTHORITIES, ...PROXIES].flatMap((name) => (env[name] ? [[name, env[name]]] : [])),
  )
}

/**
 * What to mask of the logins in the proxy variables: each password and `user:password`, as written and decoded.
 * Malformed addresses are read too, as they are saved too.
 */
export function proxyLogins(env: NodeJS.ProcessEnv): string[] {
  const logins = PROXIES.flatMap((name) => {
    const [, user = '', password] =
      /^\s*(?:[a-z][a-z\d+.-]*:\/\/)?([^:]*?)(?::(.*))?@/is.exec(env[name] ?? '') ?? []
    if (password) return [password, `${user}:${password}`]
    // Without a password, it may be a token; but to mask a name such as `ci` would ruin the log.
    return user.length < 8 ? [] : [user]
  })
  return [...new Set(logins.flatMap((login) => [login, percentDecoded(login)]))]
}

/** decodeURIComponent; the text itself if it is not encoded. */
export function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
