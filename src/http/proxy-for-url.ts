/** `hostname` as the URL parser writes it. */
export function isLoopback(hostname: string): boolean {
  return /^(localhost\.?|127\.[\d.]+|\[::1\]|\[::ffff:7f\w\w:\w+\])$/.test(hostname)
}

/** Empty for none, as for loopback: only that has http: URLs. Throws if the variable names no usable one. */
export function proxyFor(url: URL, env: NodeJS.ProcessEnv): string {
  const exempt = (env.no_proxy || env.NO_PROXY || '').split(/[,\s]+/)
  if (isLoopback(url.hostname) || /\.localhost\.?$/.test(url.hostname) || exempt.some((entry) => covers(entry, url)))
    return ''
  const name = ['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'].find((variable) => env[variable]?.trim())
  return name ? readProxy(name, String(env[name]).trim(), url) : ''
}

/** Messages show only the scheme: the rest may be a login. */
function readProxy(name: string, value: string, { hostname }: URL): string {
  const scheme = /^([a-z][a-z\d+.-]*):\/\//i.exec(value)?.[1]?.toLowerCase()
  if (scheme !== undefined && scheme !== 'http' && scheme !== 'https')
    throw new Error(
      `${name} is a ${scheme}:// proxy. Set HTTPS_PROXY to an http:// or https:// proxy, or add ${hostname} to NO_PROXY.`,
    )
  const proxy = scheme === undefined ? `http://${value}` : value
  // An @ after the first delimiter belongs to a login that was cut there.
  if (!URL.canParse(proxy) || /^[^/]*\/\/[^/?#\\]*[/?#\\].*@/s.test(proxy))
    throw new Error(
      `${name} is not a valid proxy address. Write it as http://USER:PASSWORD@HOST:PORT, ` +
        'and percent-encode special characters of the login (# as %23).',
    )
  return proxy
}

/** `entry`: `*`, an address, a CIDR range or a name, perhaps with `:port`. */
function covers(entry: string, { hostname, port }: URL): boolean {
  const { BlockList, isIP } = process.getBuiltinModule('node:net')
  const [, name = '', onlyPort] = /^(.+?)(?::(\d+))?$/.exec(isIP(entry) ? `[${entry}]` : entry) ?? []
  if (onlyPort && Number(onlyPort) !== Number(port || 443)) return false
  if (name === '*') return true
  const host = hostname.replace(/^\[|[\].]$/g, '')
  if (!isIP(host)) {
    const suffix = name.toLowerCase().replace(/^\*?(?=\.)|\.$/g, '')
    return host === suffix || host.endsWith(suffix.replace(/^\.?/, '.'))
  }
  const [address = '', prefix] = name.replace(/[[\]]/g, '').split('/')
  const family = (text: string) => (isIP(text) === 6 ? 'ipv6' : 'ipv4')
  const list = new BlockList()
  try {
    list.addSubnet(address, Number(prefix || (isIP(address) === 6 ? 128 : 32)), family(address))
    return list.check(host, family(host))
  } catch {
    return false
  }
}
