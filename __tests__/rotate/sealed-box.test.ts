import { beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import sodium from 'libsodium-wrappers'
import { sealForGithub } from '../../src/rotate/sealed-box.ts'

const hex = (text: string) => new Uint8Array(Buffer.from(text, 'hex'))

/** Made with libsodium's crypto_box_easy and crypto_generichash, from fixed key pairs. */
const VECTORS = [
  {
    text: 'a',
    recipient: '+o/jqIRHvAWmQExxsS1Iw1uWhMhWH7k1V2yliOSMuBc=',
    publicKey: '26f52371004f64a059ec36d560ab0b210cc11338e5856381eaae808f1d6c040c',
    privateKey: 'c908b00b98990e94bcd94fcc6ab66720238e70b998c4c3c2824b2e8ae1e2f6d1',
    sealed: 'JvUjcQBPZKBZ7DbVYKsLIQzBEzjlhWOB6q6Ajx1sBAy+yjsoxbaRaLvLHgeMFVXf3w==',
  },
  {
    text: 'spherescout-key-0123456789',
    recipient: 'S75uImrPxDY50B7SkbXGV0bGYNBGBxynbqzFGL2uCBk=',
    publicKey: 'e62f3e6de1797e9d4b1d36c728e6deee551e74f2f14c6fc37e01d84f3951d528',
    privateKey: 'ac53d3cf3de750ace7d2f9c4e6eaaebcd33f4712b01968cdf9ce4fe41252d61d',
    sealed:
      '5i8+beF5fp1LHTbHKObe7lUedPLxTG/DfgHYTzlR1SjdYxQ9sNOfsuAxA8Ilxfn+yh3ep4UZIKjW2rv2zFGnKNMqRCfbc1BHqxw=',
  },
  {
    text: 'caf\u00e9 \u{1f511}',
    recipient: 'pOWTxfJBZmN7S1zupVDqXeQTRAemH0DmASR22CzDgA4=',
    publicKey: 'a47b896bbcad0b47cb0239412c04c357939ec648891accaeb48b70707d00002a',
    privateKey: 'f9bebb024b2b6da7522292b0731afe027bd4b58b8f657359f5d26aef7ad0288c',
    sealed: 'pHuJa7ytC0fLAjlBLATDV5OexkiJGsyutItwcH0AACo0Jk5de6IOmTy+N8peA1ogSIGDEezevM6QJg==',
  },
]

describe('a value sealed for GitHub', () => {
  beforeAll(() => sodium.ready)

  test.each(VECTORS)(
    'is what libsodium makes of "$text"',
    ({ text, recipient, publicKey, privateKey, sealed }) => {
      const ephemeral = { publicKey: hex(publicKey), privateKey: hex(privateKey) }
      expect(sealForGithub(text, recipient, ephemeral)).toBe(sealed)
    },
  )

  test('can be opened by libsodium for any text and key pair', () => {
    const pair = fc
      .uint8Array({ minLength: 32, maxLength: 32 })
      .map((seed) => sodium.crypto_box_seed_keypair(seed))
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 5_000 })
    fc.assert(
      fc.property(text, pair, (value, { publicKey, privateKey }) => {
        const sealed = sealForGithub(value, Buffer.from(publicKey).toString('base64'))
        const opened = sodium.crypto_box_seal_open(
          new Uint8Array(Buffer.from(sealed, 'base64')),
          publicKey,
          privateKey,
        )
        expect(Buffer.from(opened).toString('utf8')).toBe(value)
      }),
      { numRuns: 50 },
    )
  })

  test('differs each time', () => {
    const recipient = VECTORS[0]?.recipient ?? ''
    expect(sealForGithub('same', recipient)).not.toBe(sealForGithub('same', recipient))
  })

  test.each([
    ['that is too short', Buffer.alloc(31, 1), /^publicKey$/],
    ['that is too long', Buffer.alloc(33, 1), /^publicKey$/],
    ['of all zeros', Buffer.alloc(32), /./],
  ])('is refused for a public key %s', (_, key, reason) => {
    expect(() => sealForGithub('text', key.toString('base64'))).toThrow(reason)
  })
})
