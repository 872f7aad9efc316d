/** Decide which certificate authorities Node trusts. */
export const AUTHORITIES = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_USE_SYSTEM_CA']
/** Each is read in both cases. */
export const PROXIES = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'].flatMap((name) => [
  name,
  name.toLowerCase(),
])

/** Those of these variables that are set. */
export function networkSettings(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries([...AUTHORITIES, ...PROXIES].flatMap((name) => (env[name] ? [[name, env[name]]] : [])))
}

/** What to mask of proxy logins: passwords and `user:password`, as written and decoded, of malformed addresses too. */
export function proxyLogins(env: NodeJS.ProcessEnv): string[] {
  const logins = PROXIES.flatMap((name) => {
    const [, user = '', password] = /^\s*(?:[a-z][a-z\d+.-]*:\/\/)?([^:]*?)(?::(.*))?@/is.exec(env[name] ?? '') ?? []
    if (password) return [password, `${user}:${password}`]
    // A user alone may be a token; but masking a name such as `ci` would ruin the log.
    return user.length < 8 ? [] : [user]
  })
  return [...new Set(logins.flatMap((login) => [login, percentDecoded(login)]))]
}

/** decodeURIComponent, or the text itself if that throws. */
export function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
