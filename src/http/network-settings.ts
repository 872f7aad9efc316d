/** Decide which certificate authorities Node trusts. */
export const AUTHORITIES = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_USE_SYSTEM_CA']
const PROXIES = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'].flatMap((name) => [name, name.toLowerCase()])

/** Those that are set. */
export function networkSettings(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries([...AUTHORITIES, ...PROXIES].flatMap((name) => (env[name] ? [[name, env[name]]] : [])))
}

/** Never throws; decodes what it can. */
export const percentDecoded = (text: string) => process.getBuiltinModule('node:querystring').unescape(text)

/** What to mask of logins, as written and decoded, even if malformed. */
export function proxyLogins(env: NodeJS.ProcessEnv): string[] {
  const logins = PROXIES.flatMap((name) => {
    const [, user = '', password] = /^\s*(?:[A-Za-z][\w+.-]*:\/\/)?([^:]*)(?::(.*))?@/s.exec(env[name] ?? '') ?? []
    if (password) return [password, `${user}:${password}`]
    // A user alone may be a token, but not a name such as `ci`.
    return user.length < 8 ? [] : [user]
  })
  return [...new Set(logins.flatMap((login) => [login, percentDecoded(login)]))]
}
