import { describe, expect, test } from '@jest/globals'
import { networkSettings, proxyLogins } from '../../src/http/network-settings.ts'

test('the network settings are the variables about certificates and proxies that are set, and no others', () => {
  const settings = {
    NODE_EXTRA_CA_CERTS: 'a.pem',
    SSL_CERT_FILE: 'b.pem',
    SSL_CERT_DIR: '/certs',
    NODE_USE_SYSTEM_CA: '1',
    HTTPS_PROXY: 'p1',
    https_proxy: 'p2',
    HTTP_PROXY: 'p3',
    http_proxy: 'p4',
    ALL_PROXY: 'p5',
    all_proxy: 'p6',
    NO_PROXY: 'p7',
  }
  expect(networkSettings({ ...settings, no_proxy: '', PATH: '/bin' })).toEqual(settings)
  expect(networkSettings({})).toEqual({})
})

describe('what is masked of the logins in proxy variables', () => {
  test.each<[string, string[]]>([
    ['http://me:s3cr-et@proxy:3128', ['s3cr-et', 'me:s3cr-et']],
    ['http://tok@en1234@proxy:3128', ['tok@en1234']],
    ['http://:secretsecret@proxy', ['secretsecret', ':secretsecret']],
    ['https://me:a%2Fb@proxy', ['a%2Fb', 'a/b', 'me:a%2Fb', 'me:a/b']],
    ['http://us%40er:word@proxy', ['word', 'us%40er:word', 'us@er:word']],
    ['me:word@proxy:3128', ['word', 'me:word']],
    ['socks5h://me:word@proxy', ['word', 'me:word']],
    ['http://me:wo:rd@proxy', ['wo:rd', 'me:wo:rd']],
    ['http://me:w@rd@proxy', ['w@rd', 'me:w@rd']],
    ['http://me:wo#rd/?@proxy', ['wo#rd/?', 'me:wo#rd/?']],
    ['http://me:50%@proxy', ['50%', 'me:50%']],
    ['http://me:wo\nrd@proxy', ['wo\nrd', 'me:wo\nrd']],
    ['http://a-long-token@proxy', ['a-long-token']],
    ['http://a-long-token:@proxy', ['a-long-token']],
    ['http://ci@proxy', []],
    ['http://:word@proxy', ['word', ':word']],
    ['http://proxy:3128', []],
    ['proxy', []],
    ['', []],
  ])('%j: %j', (value, masked) => {
    expect(proxyLogins({ HTTPS_PROXY: value }).sort()).toEqual(masked.sort())
  })

  test('is taken from every proxy variable, in both cases, and each value only once', () => {
    const names = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy']
    const env = Object.fromEntries(names.map((name, index) => [name, `http://me:word${index}@p`]))
    const words = names.map((_, index) => [`word${index}`, `me:word${index}`])
    expect(proxyLogins(env).sort()).toEqual(words.flat().sort())
    expect(proxyLogins({ HTTPS_PROXY: 'http://a:b@p', ALL_PROXY: 'http://a:b@q' })).toEqual(['b', 'a:b'])
  })
})
