/**
 * The proxy through which `url` is to be reached, a URL, or an empty text for none. Read from the environment as the
 * package `proxy-from-env` does (a test holds the two side by side): HTTPS_PROXY or HTTP_PROXY by the scheme, else
 * ALL_PROXY, unless NO_PROXY exempts the host; lower case first.
 */
export function proxyFor(url: URL, env: NodeJS.ProcessEnv): string {
  const setting = (name: string) => env[name] || env[name.toUpperCase()] || ''
  const scheme = url.protocol.slice(0, -1)
  const exempt = setting('no_proxy').toLowerCase().split(/[,\s]/)
  if (exempt.some((pattern) => covers(pattern, url))) return ''
  const proxy = setting(`${scheme}_proxy`) || setting('all_proxy')
  return !proxy || proxy.includes('://') ? proxy : `${scheme}://${proxy}`
}

/** Whether one entry of NO_PROXY, `host`, `.suffix`, `*.suffix` or `*`, each with `:port` or without, covers `url`. */
function covers(pattern: string, { protocol, host, port }: URL): boolean {
  const [, name = '', onlyPort] = /^(.+?)(?::(\d+))?$/.exec(pattern) ?? []
  if (Number(onlyPort) && Number(onlyPort) !== Number(port || (protocol === 'https:' ? 443 : 80)))
    return false
  // Unlike `hostname`, this keeps the brackets of an IPv6 address, with which NO_PROXY holds it.
  const asked = host.replace(/:\d+$/, '')
  return /^[.*]/.test(name) ? asked.endsWith(name.replace('*', '')) : asked === name
}
