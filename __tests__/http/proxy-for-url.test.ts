import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { getProxyForUrl } from 'proxy-from-env'
import { proxyFor } from '../../src/http/proxy-for-url.ts'

const API = new URL('https://api.example.com')

describe('the proxy', () => {
  test.each<[string, Record<string, string>, string]>([
    ['nothing is set', {}, ''],
    ['HTTPS_PROXY is', { HTTPS_PROXY: 'http://p:3128' }, 'http://p:3128'],
    ['both cases are', { HTTPS_PROXY: 'http://upper', https_proxy: 'http://lower' }, 'http://lower'],
    ['it has no scheme', { https_proxy: 'p:3128' }, 'https://p:3128'],
    ['only that of the other scheme is', { HTTP_PROXY: 'http://p' }, ''],
    ['ALL_PROXY is', { ALL_PROXY: 'http://all' }, 'http://all'],
    ['ALL_PROXY is, and its own', { ALL_PROXY: 'http://all', HTTPS_PROXY: 'http://p' }, 'http://p'],
  ])('is chosen where %s', (_, env, proxy) => {
    expect(proxyFor(API, env)).toBe(proxy)
  })

  test.each<[string, string, boolean]>([
    ['*', 'https://api.example.com', true],
    ['other, api.example.com', 'https://api.example.com', true],
    ['API.EXAMPLE.COM', 'https://api.example.com', true],
    ['example.com', 'https://api.example.com', false],
    ['.example.com', 'https://api.example.com', true],
    ['.example.com', 'https://example.com', false],
    ['*.example.com', 'https://api.example.com', true],
    ['*example.com', 'https://example.com', true],
    ['api.example.com:443', 'https://api.example.com', true],
    ['api.example.com:80', 'https://api.example.com', false],
    ['127.0.0.1:80', 'http://127.0.0.1', true],
    ['127.0.0.1:8080', 'http://127.0.0.1:8080', true],
    ['127.0.0.1', 'http://127.0.0.1:8080', true],
    ['[::1]', 'http://[::1]:8080', true],
    ['[::1]:8080', 'http://[::1]:8080', true],
    [',', 'https://api.example.com', false],
  ])('NO_PROXY=%s exempts %s: %s', (NO_PROXY, url, exempt) => {
    const env = { HTTPS_PROXY: 'http://p', HTTP_PROXY: 'http://p', NO_PROXY }
    expect(proxyFor(new URL(url), env)).toBe(exempt ? '' : 'http://p')
  })

  test('is the one that proxy-from-env chooses, whatever is set', () => {
    const before = { ...process.env }
    const name = fc.constantFrom(
      'HTTPS_PROXY',
      'http_proxy',
      'HTTP_PROXY',
      'https_proxy',
      'ALL_PROXY',
      'all_proxy',
    )
    const proxy = fc.constantFrom('', 'p', 'p:3128', 'http://p:3128', 'https://user:word@p', 'socks5://p')
    const host = fc.constantFrom('a.example', 'b.a.example', 'example', '127.0.0.1', '[::1]')
    const port = fc.constantFrom('', ':80', ':443', ':8080', ':0')
    const start = fc.constantFrom('', '.', '*', '*.', 'x.')
    const pattern = fc.oneof(
      fc.tuple(start, host, port).map((parts) => parts.join('')),
      fc.constantFrom('', '*', '*:443', '.', ':', '::1', '.example:80'),
      fc.string({ unit: fc.constantFrom(...'a.*:8example,'), maxLength: 8 }),
    )
    const exempt = fc
      .array(pattern, { maxLength: 3 })
      .chain((list) => fc.constantFrom(',', ' ', ', ', ',,').map((separator) => list.join(separator)))
    const url = fc
      .tuple(fc.constantFrom('http', 'https'), host, fc.constantFrom('', ':80', ':443', ':8080'))
      .map(([scheme, name, port]) => new URL(`${scheme}://${name}${port}`))
    const NO_PROXY = fc.constantFrom('NO_PROXY', 'no_proxy')
    try {
      fc.assert(
        fc.property(
          url,
          fc.dictionary(name, proxy, { maxKeys: 3 }),
          NO_PROXY,
          exempt,
          (url, env, name, list) => {
            for (const key of Object.keys(process.env)) if (/_proxy$/i.test(key)) delete process.env[key]
            Object.assign(process.env, { ...env, [name]: list })
            // Both from there: Windows takes two names in different cases for one.
            expect(proxyFor(url, process.env)).toBe(getProxyForUrl(url.href))
          },
        ),
        { numRuns: 3_000 },
      )
    } finally {
      for (const key of Object.keys(process.env)) if (/_proxy$/i.test(key)) delete process.env[key]
      Object.assign(process.env, before)
    }
  })
})
