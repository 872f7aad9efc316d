import { expect, test } from '@jest/globals'
import { changedSettings } from '../../src/http/changed-settings.ts'
import { networkSettings } from '../../src/http/network-settings.ts'

const digest = (name: string, value: string) => (value === 'missing' ? null : `digest of ${name} ${value}`)

test('the settings that decide whom a process trusts and which way it goes, and no others', () => {
  const env = {
    NODE_EXTRA_CA_CERTS: 'a.pem',
    SSL_CERT_FILE: 'missing',
    SSL_CERT_DIR: '/certs',
    NODE_USE_SYSTEM_CA: '1',
    HTTPS_PROXY: 'p1',
    https_proxy: 'p2',
    HTTP_PROXY: 'p3',
    http_proxy: 'p4',
    ALL_PROXY: 'p5',
    all_proxy: 'p6',
    NO_PROXY: 'p7',
    no_proxy: '',
    PATH: '/bin',
  }
  const { no_proxy: _, PATH: __, ...rest } = env
  expect(networkSettings(env, digest)).toEqual({
    ...rest,
    NODE_EXTRA_CA_CERTS: 'a.pem digest of NODE_EXTRA_CA_CERTS a.pem',
    SSL_CERT_FILE: 'missing unreadable',
    SSL_CERT_DIR: '/certs digest of SSL_CERT_DIR /certs',
    NODE_USE_SYSTEM_CA: '1 digest of NODE_USE_SYSTEM_CA 1',
  })
  expect(networkSettings({}, digest)).toEqual({})
})

test('what changed: set, unset or set to something else', () => {
  expect(changedSettings({}, {})).toEqual({ authorities: [], proxies: [] })
  const before = { SSL_CERT_DIR: 'a', NODE_USE_SYSTEM_CA: '1', HTTPS_PROXY: 'p', NO_PROXY: 'n' }
  const after = { SSL_CERT_DIR: 'b', SSL_CERT_FILE: 'c', NO_PROXY: 'n', http_proxy: 'q', OTHER: 'x' }
  expect(changedSettings(before, after)).toEqual({
    authorities: ['SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_USE_SYSTEM_CA'],
    proxies: ['HTTPS_PROXY', 'http_proxy'],
  })
})
