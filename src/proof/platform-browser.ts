import { getPublicKey, hashes, sign, verify } from '@noble/ed25519'
import { sha256 as digest, sha512 } from '@noble/hashes/sha2.js'
import type { Ed25519Signer } from './platform.ts'

/**
 * What `platform.ts` is in Node. A browser's own `crypto.subtle` answers with promises only, and in pages without TLS not at
 * all, so this is done in JavaScript.
 */
hashes.sha512 = sha512

export function sha256(bytes: Uint8Array): Uint8Array {
  return digest(bytes)
}

export function randomBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length))
}

export function createEd25519Signer(seed: Uint8Array): Ed25519Signer {
  return { publicKey: getPublicKey(seed), sign: (message) => sign(message, seed) }
}

export function isEd25519Signature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false
  try {
    // By default encodings are let through that RFC 8032, and OpenSSL with it, refuses.
    return verify(signature, message, publicKey, { zip215: false })
  } catch {
    return false
  }
}
