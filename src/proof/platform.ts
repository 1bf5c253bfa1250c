import { createPrivateKey, createPublicKey, hash, randomFillSync, sign, verify } from 'node:crypto'

/**
 * The only file of proof/ that does not run in a browser. `platform-browser.ts` has the same exports, and stands in for it
 * where package.json's `browser` field is honoured.
 */

/** DER in front of a raw key: PKCS #8 and SubjectPublicKeyInfo of RFC 8410. */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')
const SPKI = Buffer.from('302a300506032b6570032100', 'hex')

export function sha256(bytes: Uint8Array): Uint8Array {
  // A plain array, as in a browser: the slice of a Buffer is no copy, which is a trap for whoever takes it for one.
  const digest = hash('sha256', bytes, 'buffer')
  return new Uint8Array(digest.buffer, digest.byteOffset, 32)
}

export function randomBytes(length: number): Uint8Array {
  return randomFillSync(new Uint8Array(length))
}

export interface Ed25519Signer {
  /** 32 bytes, RFC 8032. */
  readonly publicKey: Uint8Array
  sign(message: Uint8Array): Uint8Array
}

/** `seed`: the 32 bytes of the private key of RFC 8032. */
export function createEd25519Signer(seed: Uint8Array): Ed25519Signer {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' })
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' })
  return {
    publicKey: new Uint8Array(spki.subarray(SPKI.length)),
    sign: (message) => new Uint8Array(sign(null, message, key)),
  }
}

/** False also for what is no key or no signature at all. */
export function isEd25519Signature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false
  try {
    const key = createPublicKey({ key: Buffer.concat([SPKI, publicKey]), format: 'der', type: 'spki' })
    return verify(null, message, key, signature)
  } catch {
    return false
  }
}
