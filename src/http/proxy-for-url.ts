/** As the URL parser writes these hosts. */
const LOOPBACK = /^((.+\.)?localhost\.?|127\.[\d.]+|\[::1\]|\[::ffff:7f\w\w:\w+\])$/

/**
 * The proxy for requests to `url`, as an http or https URL; empty for none. Chosen as curl and Go do: HTTPS_PROXY or
 * HTTP_PROXY by the scheme, else ALL_PROXY, unless NO_PROXY exempts the host; lower case first. Never one
 * for loopback hosts, as it could read a key sent to them in the clear. Throws if the variable names no usable proxy.
 */
export function proxyFor(url: URL, env: NodeJS.ProcessEnv): string {
  const exempt = (env.no_proxy || env.NO_PROXY || '').split(/[,\s]+/)
  if (LOOPBACK.test(url.hostname) || exempt.some((entry) => covers(entry, url))) return ''
  const own = `${url.protocol.slice(0, -1)}_proxy`
  const name = [own, own.toUpperCase(), 'all_proxy', 'ALL_PROXY'].find((variable) => env[variable]?.trim())
  return name === undefined ? '' : readProxy(name, env[name]?.trim() ?? '', own.toUpperCase(), url.hostname)
}

/** The value of the variable `name` as a URL. Messages show only its scheme, as the rest may be a login. */
function readProxy(name: string, value: string, own: string, host: string): string {
  const scheme = /^([a-z][a-z\d+.-]*):\/\//i.exec(value)?.[1]?.toLowerCase()
  if (scheme !== undefined && scheme !== 'http' && scheme !== 'https')
    throw new Error(
      `${name} is a ${scheme}:// proxy. Set ${own} to an http:// or https:// proxy, or add ${host} to NO_PROXY.`,
    )
  const proxy = scheme === undefined ? `http://${value}` : value
  // An @ after the first delimiter belongs to a login that was cut there.
  if (!URL.canParse(proxy) || /^[^/]*\/\/[^/?#\\]*[/?#\\].*@/s.test(proxy))
    throw new Error(
      `${name} is not a valid proxy address. Write it as http://USER:PASSWORD@HOST:PORT, ` +
        'and percent-encode special characters of the login (# as %23, / as %2F, ? as %3F).',
    )
  return proxy
}

/**
 * Whether one entry of NO_PROXY covers `url`: `*`, an IP address or CIDR range, or a name, which covers its subdomains
 * too (after `.` or `*.`, only these); each with `:port` or without.
 */
function covers(entry: string, { protocol, hostname, port }: URL): boolean {
  const { isIP } = process.getBuiltinModule('node:net')
  const [, name = '', onlyPort] = /^(.+?)(?::(\d+))?$/.exec(isIP(entry) ? `[${entry}]` : entry) ?? []
  if (onlyPort && Number(onlyPort) !== Number(port || (protocol === 'https:' ? 443 : 80))) return false
  if (name === '*') return true
  const host = hostname.replace(/^\[|[\].]$/g, '')
  if (isIP(host)) return within(host, name)
  const suffix = name.toLowerCase().replace(/^\*?(?=\.)|\.$/g, '')
  return suffix !== '' && (host === suffix || host.endsWith(suffix.replace(/^\.?/, '.')))
}

/** Whether an IP address is in `range`, an address or CIDR range, with brackets or without. */
function within(host: string, range: string): boolean {
  const { BlockList, isIP } = process.getBuiltinModule('node:net')
  const [address = '', prefix] = range.replace(/[[\]]/g, '').split('/')
  const family = (text: string) => (isIP(text) === 6 ? 'ipv6' : 'ipv4')
  const list = new BlockList()
  try {
    list.addSubnet(address, Number(prefix || (isIP(address) === 6 ? 128 : 32)), family(address))
    return list.check(host, family(host))
  } catch {
    return false
  }
}
