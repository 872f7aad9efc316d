import { createHash } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import {
  githubServer,
  hasRotationTag,
  type Rotation,
  rotationTag,
  TAG_RANGE,
} from '../../src/rotate/rotation-tag.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest()
const ROTATION: Rotation = {
  apiUrl: 'https://www.spherescout.io',
  server: 'github.com',
  scope: 'repo:123456',
  environment: '',
  secret: 'SPHERESCOUT_API_KEY',
}
const TAG = rotationTag(ROTATION, sha256)
const DAY_MS = 86_400_000
const NOW = Date.parse('2027-03-01T12:00:00Z')

/** The latest tagged instant up to `latest` that is not a whole second. */
function tagged(latest: number, tag = TAG): number {
  const at = latest - ((latest - tag) % TAG_RANGE)
  return at % 1000 === 0 ? at - TAG_RANGE : at
}

describe('the tag of a rotation', () => {
  test('is the first 26 bits of SHA-256 over the parts, each on a line', () => {
    const digest = sha256('https://www.spherescout.io\ngithub.com\nrepo:123456\n\nSPHERESCOUT_API_KEY')
    expect(TAG).toBe(digest.readUInt32BE(0) >>> 6)
    expect(rotationTag(ROTATION, () => new Uint8Array(32).fill(255))).toBe(TAG_RANGE - 1)
  })

  test('ignores case, as GitHub does', () => {
    expect(rotationTag({ ...ROTATION, secret: 'spherescout_api_key' }, sha256)).toBe(TAG)
    const org = (scope: string) => rotationTag({ ...ROTATION, scope }, sha256)
    expect(org('org:Octo')).toBe(org('org:octo'))
    const environment = (name: string) => rotationTag({ ...ROTATION, environment: name }, sha256)
    expect(environment('Production')).toBe(environment('production'))
  })

  test.each([
    { apiUrl: 'https://other.example' },
    { server: 'github.example' },
    { scope: 'repo:123457' },
    { environment: 'production' },
    { secret: 'OTHER' },
  ])('differs for %j', (other) => {
    expect(rotationTag({ ...ROTATION, ...other }, sha256)).not.toBe(TAG)
  })
})

describe('the server of a rotation is the same', () => {
  test.each([
    ['https://api.github.com', 'github.com'],
    ['https://API.GitHub.com:443/', 'github.com'],
    ['https://github.com', 'github.com'],
    ['https://api.octo.ghe.com', 'octo.ghe.com'],
    ['https://ghes.example/api/v3', 'ghes.example'],
    ['https://ghes.example:8443/api/v3/', 'ghes.example:8443'],
    ['http://127.0.0.1:4711', '127.0.0.1:4711'],
  ])('however its API is spelled: %s', (url, server) => {
    expect(githubServer(url)).toBe(server)
  })
})

describe('a key of a rotation is recognized', () => {
  const key = (expiresAt: number | null, createdAt: number | null = NOW) => ({ createdAt, expiresAt })

  test('by an expiry that carries the tag', () => {
    const expiresAt = tagged(NOW + 60 * DAY_MS)
    expect(hasRotationTag(key(expiresAt), TAG)).toBe(true)
    expect(hasRotationTag(key(expiresAt), TAG + 1)).toBe(false)
  })

  test('to the millisecond, whatever its microseconds are', () => {
    const expiresAt = tagged(NOW + 60 * DAY_MS)
    for (const other of [expiresAt + 1, expiresAt - 1, expiresAt - 0.001])
      expect(hasRotationTag(key(other), TAG)).toBe(false)
    for (const own of [expiresAt + 0.001, expiresAt + 0.499]) expect(hasRotationTag(key(own), TAG)).toBe(true)
  })

  test('only if it outlives every key of the main action', () => {
    const expiresAt = tagged(NOW + 60 * DAY_MS)
    expect(hasRotationTag(key(expiresAt, expiresAt - 5 * DAY_MS), TAG)).toBe(false)
    expect(hasRotationTag(key(expiresAt, expiresAt - 5 * DAY_MS - 1), TAG)).toBe(true)
  })

  test('never by a whole second, nor without both times', () => {
    const wholeSecond = Math.floor((NOW + 60 * DAY_MS) / 1000) * 1000
    expect(hasRotationTag(key(wholeSecond), wholeSecond % TAG_RANGE)).toBe(false)
    expect(hasRotationTag(key(null), TAG)).toBe(false)
    expect(hasRotationTag(key(tagged(NOW + 60 * DAY_MS), null), TAG)).toBe(false)
  })
})
