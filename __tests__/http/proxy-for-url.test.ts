import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { proxyFor } from '../../src/http/proxy-for-url.ts'

const API = new URL('https://api.example.com')

describe('the proxy variables', () => {
  test.each<[string, Record<string, string>, string]>([
    ['without any, there is no proxy', {}, ''],
    ['HTTPS_PROXY is for https', { HTTPS_PROXY: 'http://p:3128' }, 'http://p:3128'],
    ['HTTP_PROXY is not for https', { HTTP_PROXY: 'http://p' }, ''],
    ['lower case comes first', { HTTPS_PROXY: 'http://upper', https_proxy: 'http://lower' }, 'http://lower'],
    ['ALL_PROXY is for every scheme', { ALL_PROXY: 'http://all' }, 'http://all'],
    ['ALL_PROXY comes last', { all_proxy: 'http://all', HTTPS_PROXY: 'http://p' }, 'http://p'],
    ['an empty variable counts as unset', { https_proxy: ' ', HTTPS_PROXY: 'http://p' }, 'http://p'],
    ['an https proxy stays one', { HTTPS_PROXY: 'https://p' }, 'https://p'],
    ['an address without a scheme is an HTTP proxy', { HTTPS_PROXY: 'p:3128' }, 'http://p:3128'],
    ['so it is in ALL_PROXY', { ALL_PROXY: 'me:word@p:3128' }, 'http://me:word@p:3128'],
    ['blanks around an address are dropped', { HTTPS_PROXY: ' http://p \n' }, 'http://p'],
    ['a second @ is part of the login', { HTTPS_PROXY: 'http://me:w@rd@p' }, 'http://me:w@rd@p'],
  ])('%s', (_, env, proxy) => {
    expect(proxyFor(API, env)).toBe(proxy)
  })

  test.each([
    [
      'ALL_PROXY',
      'socks5h://p:1080',
      /^ALL_PROXY is a socks5h:\/\/ proxy\. Set HTTPS_PROXY .*api\.example\.com/,
    ],
    ['https_proxy', 'SOCKS5://p:1080', /^https_proxy is a socks5:\/\/ proxy/],
    ['HTTPS_PROXY', 'ftp://p', /^HTTPS_PROXY is a ftp:\/\/ proxy/],
  ])('%s=%s is refused by the name of the variable and its scheme', (name, value, message) => {
    expect(() => proxyFor(API, { [name]: value })).toThrow(message)
  })

  test('a proxy that cannot be used does not matter to a host that needs none', () => {
    const env = { ALL_PROXY: 'socks5://p', HTTPS_PROXY: 'http://me:a#b@p', NO_PROXY: 'example.com' }
    expect(proxyFor(API, env)).toBe('')
    expect(proxyFor(new URL('http://localhost'), env)).toBe('')
  })

  test.each([
    'http://me:wo#rd@p:3128',
    'http://me:12#34@p:3128',
    'http://me:12/34@p:3128',
    'http://me:1@2/34@p:3128',
    'http://me:12?34@p:3128',
    'http://me:12\\34@p:3128',
    'me:12#34@p:3128',
    'me:://34@p:3128',
    'http://me:wo rd@p:31x28',
    'http://',
    'http://p:99999',
  ])('%s is refused with a hint to percent-encoding, and no part of it is shown', (value) => {
    let message = ''
    try {
      proxyFor(API, { HTTPS_PROXY: value })
    } catch (error) {
      message = String(error)
    }
    expect(message).toMatch(/^Error: HTTPS_PROXY is not a valid proxy address\..*percent-encode.*# as %23/)
    expect(message).not.toMatch(/me:|12|34|wo|3128/)
  })
})

test.each([
  'http://localhost:8080',
  'http://LOCALHOST.',
  'https://api.localhost',
  'http://127.0.0.1',
  'http://127.9.9.9',
  'http://127.1',
  'http://[::1]:8080',
  'http://[::ffff:127.0.0.1]',
])('a proxy never sees a request to the loopback host %s', (url) => {
  const env = { HTTPS_PROXY: 'http://p', HTTP_PROXY: 'http://p', ALL_PROXY: 'http://p' }
  expect(proxyFor(new URL(url), env)).toBe('')
})

test.each(['https://notlocalhost', 'https://localhost.example', 'https://128.0.0.1', 'https://[::2]'])(
  '%s is not a loopback host',
  (url) => {
    expect(proxyFor(new URL(url), { HTTPS_PROXY: 'http://p' })).toBe('http://p')
  },
)

describe('NO_PROXY', () => {
  test.each<[string, string, boolean]>([
    ['*', 'https://api.example.com', true],
    ['*:443', 'https://api.example.com', true],
    ['*:80', 'https://api.example.com', false],
    ['other, api.example.com', 'https://api.example.com', true],
    ['other\tapi.example.com other', 'https://api.example.com', true],
    ['API.EXAMPLE.COM', 'https://api.example.com', true],
    ['api.example.com.', 'https://api.example.com', true],
    ['api.example.com', 'https://api.example.com.', true],
    ['example.com', 'https://api.example.com', true],
    ['test', 'https://api.test', true],
    ['example.com', 'https://notexample.com', false],
    ['api.example.com', 'https://example.com', false],
    ['.example.com', 'https://api.example.com', true],
    ['.example.com', 'https://example.com', false],
    ['*.example.com', 'https://api.example.com', true],
    ['*.example.com', 'https://example.com', false],
    ['.', 'https://api.example.com', false],
    [',', 'https://api.example.com', false],
    ['api.example.com:443', 'https://api.example.com', true],
    ['example.com:443', 'https://api.example.com', true],
    ['api.example.com:80', 'https://api.example.com', false],
    ['10.0.0.1:443', 'https://10.0.0.1', true],
    ['10.0.0.1:8080', 'https://10.0.0.1:8080', true],
    ['10.0.0.1:8080', 'https://10.0.0.1', false],
    ['10.0.0.1', 'https://10.0.0.1:8080', true],
    ['0.0.1', 'https://10.0.0.1', false],
    ['1', 'https://10.0.0.1', false],
    ['10.0.0.0/8', 'https://10.9.8.7', true],
    ['10.0.0.0/8', 'https://11.0.0.1', false],
    ['10.1.2.3/12', 'https://10.15.0.1', true],
    ['10.0.0.0/33', 'https://10.0.0.0', false],
    ['10.0.0.0/8x', 'https://10.0.0.0', false],
    ['0.0.0.0/0', 'https://10.0.0.1', true],
    ['10.0.0.0/8', 'https://10.example', false],
    ['[2001:db8::1]', 'https://[2001:db8::1]:8080', true],
    ['2001:db8::1', 'https://[2001:db8::1]:8080', true],
    ['2001:0db8:0::1', 'https://[2001:db8::1]', true],
    ['[2001:db8::1]:8080', 'https://[2001:db8::1]:8080', true],
    ['[2001:db8::1]:8080', 'https://[2001:db8::1]', false],
    ['2001:db8::2', 'https://[2001:db8::1]', false],
    ['2001:db8::/32', 'https://[2001:db8:1::1]', true],
    ['[2001:db8::]/32', 'https://[2001:db8:1::1]', true],
    ['2001:db8::/32', 'https://[2001:db9::1]', false],
    ['2001:db8::/129', 'https://[2001:db8::]', false],
    ['::/0', 'https://[2001:db8::1]', true],
  ])('%s exempts %s: %s', (NO_PROXY, url, exempt) => {
    const env = { HTTPS_PROXY: 'http://p', NO_PROXY }
    expect(proxyFor(new URL(url), env)).toBe(exempt ? '' : 'http://p')
  })

  test('is read in lower case first', () => {
    const env = { HTTPS_PROXY: 'http://p', no_proxy: 'other', NO_PROXY: '*' }
    expect(proxyFor(API, env)).toBe('http://p')
  })

  test('never throws, whatever it contains', () => {
    const entry = fc.string({ unit: fc.constantFrom(...'a.*:8/[]-%, f1'), maxLength: 12 })
    const url = fc.constantFrom('https://api.example.com', 'https://10.0.0.1:8', 'https://[2001:db8::1]')
    fc.assert(
      fc.property(entry, url, (NO_PROXY, url) => {
        expect(['', 'http://p']).toContain(proxyFor(new URL(url), { ALL_PROXY: 'http://p', NO_PROXY }))
      }),
      { numRuns: 3_000 },
    )
  })
})
