import type { JsonWebKey } from 'node:crypto'
import { hsalsa, xsalsa20poly1305 } from '@noble/ciphers/salsa.js'
import { blake2b } from '@noble/hashes/blake2.js'

/** A key pair of X25519, raw. */
export interface KeyPair {
  publicKey: Uint8Array
  privateKey: Uint8Array
}

const nodeCrypto = () => process.getBuiltinModule('node:crypto')

const KEY_BYTES = 32
const NONCE_BYTES = 24

/**
 * Encrypts `text` for the holder of `publicKey` (base64), as libsodium's crypto_box_seal does and GitHub asks for: only
 * GitHub can open it. Returns base64. `ephemeral` is used once; tests may pass their own. Throws an Error if
 * `publicKey` is not a usable X25519 key.
 */
export function sealForGithub(text: string, publicKey: string, ephemeral = generateKeyPair()): string {
  const recipient = new Uint8Array(Buffer.from(publicKey, 'base64'))
  if (recipient.length !== KEY_BYTES) throw new TypeError('publicKey')
  const nonce = blake2b(Buffer.concat([ephemeral.publicKey, recipient]), { dkLen: NONCE_BYTES })
  const box = xsalsa20poly1305(sharedKey(ephemeral, recipient), nonce).encrypt(
    new Uint8Array(Buffer.from(text, 'utf8')),
  )
  return Buffer.concat([ephemeral.publicKey, box]).toString('base64')
}

/** The key of crypto_box: HSalsa20 of what X25519 agrees on. Throws for a public key of low order. */
function sharedKey(own: KeyPair, recipient: Uint8Array): Uint8Array {
  const secret = nodeCrypto().diffieHellman({
    privateKey: nodeCrypto().createPrivateKey({ key: jwk(own.publicKey, own.privateKey), format: 'jwk' }),
    publicKey: nodeCrypto().createPublicKey({ key: jwk(recipient), format: 'jwk' }),
  })
  const key = new Uint32Array(KEY_BYTES / 4)
  hsalsa(words(SIGMA), words(secret), new Uint32Array(4), key)
  return new Uint8Array(key.buffer)
}

/** The constant of Salsa20. */
const SIGMA = Buffer.from('expand 32-byte k')

function words(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(new Uint8Array(bytes).buffer)
}

function jwk(publicKey: Uint8Array, privateKey?: Uint8Array): JsonWebKey {
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')
  return { kty: 'OKP', crv: 'X25519', x: text(publicKey), ...(privateKey && { d: text(privateKey) }) }
}

function generateKeyPair(): KeyPair {
  const { x = '', d = '' } = nodeCrypto().generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' })
  const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'base64url'))
  return { publicKey: bytes(x), privateKey: bytes(d) }
}
