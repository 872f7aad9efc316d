import { describe, expect, test } from '@jest/globals'
import { isVerifiedRevoked } from '../../src/protocol/evidence.ts'

const [Y, n] = [true, false]

describe('a key is verified as revoked', () => {
  test.each([
    // granted, rejected, missing, expired
    [n, n, n, n, false, 'with no evidence'],
    [Y, n, n, n, false, 'by a grant alone'],
    [n, Y, n, n, false, 'by a 401 alone'],
    [n, n, Y, n, false, 'by a list alone'],
    [n, n, n, Y, false, 'by its expiry alone, which the server may have extended'],
    [Y, Y, n, n, true, 'by a grant, then a 401'],
    [n, Y, Y, n, true, 'by a 401, and a list without it'],
    [n, Y, n, Y, true, 'by a 401 after its expiry'],
    [Y, n, Y, n, false, 'by a grant and a list, while it is not rejected'],
    [Y, n, n, Y, false, 'by a grant and its expiry, while it is not rejected'],
    [n, n, Y, Y, false, 'by a list and its expiry, while it is not rejected'],
    [Y, Y, Y, n, true, 'by a grant, a 401 and a list'],
    [Y, Y, n, Y, true, 'by a grant, a 401 and its expiry'],
    [n, Y, Y, Y, true, 'by a 401, a list and its expiry'],
    [Y, n, Y, Y, false, 'by all but a 401'],
    [Y, Y, Y, Y, true, 'by everything'],
  ])(
    '(granted %s, rejected %s, missing %s, expired %s): %s %s',
    (granted, rejected, missing, expired, verified) => {
      expect(isVerifiedRevoked({ granted, rejected, missing, expired })).toBe(verified)
    },
  )
})
