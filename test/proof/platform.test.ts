import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as node from '../../src/proof/platform.ts'
import * as browser from '../../src/proof/platform-browser.ts'
import { ROOT } from '../support/consumer.ts'
import { loadedBy } from '../support/loaded-by.ts'

const bytes = fc.uint8Array({ maxLength: 300 })
const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 })

/** Two programs that do not agree on what a signature is can be told two different things. */
describe('the platform of a browser is that of Node', () => {
  test('in what it exports', () => {
    expect(Object.keys(browser).sort()).toEqual(Object.keys(node).sort())
  })

  test('in its hashes', () => {
    fc.assert(
      fc.property(bytes, (input) => {
        expect(browser.sha256(input)).toEqual(node.sha256(input))
      }),
    )
    const million = new Uint8Array(1_000_000)
    expect(browser.sha256(million)).toEqual(node.sha256(million))
  })

  test('in its keys and signatures, and in what it refuses', () => {
    fc.assert(
      fc.property(seeds, bytes, fc.nat(64 * 8 - 1), (seed, message, bit) => {
        const [ours, theirs] = [node.createEd25519Signer(seed), browser.createEd25519Signer(seed)]
        expect(theirs.publicKey).toEqual(ours.publicKey)
        const signature = ours.sign(message)
        expect(theirs.sign(message)).toEqual(signature)
        const flipped = signature.slice()
        flipped[bit >> 3]! ^= 1 << (bit & 7)
        const otherKey = ours.publicKey.slice()
        otherKey[bit >> 4]! ^= 1 << (bit & 7)
        for (const { isEd25519Signature } of [node, browser]) {
          expect(isEd25519Signature(ours.publicKey, message, signature)).toBe(true)
          expect(isEd25519Signature(ours.publicKey, message, flipped)).toBe(false)
          expect(isEd25519Signature(otherKey, message, signature)).toBe(false)
          expect(isEd25519Signature(ours.publicKey, Uint8Array.of(...message, 0), signature)).toBe(false)
        }
      }),
      { numRuns: 40 },
    )
  })

  test('in what is no key and no signature', () => {
    // L, the order of the group: S must be below it (RFC 8032 §5.1.7), or a signature has a second spelling.
    const order = 2n ** 252n + 27742317777372353535851937790883648493n
    const signer = node.createEd25519Signer(new Uint8Array(32).fill(5))
    const message = new Uint8Array(3)
    const signature = signer.sign(message)
    const second = signature.slice()
    let s = 0n
    for (let at = 63; at >= 32; at--) s = s * 256n + BigInt(signature[at]!)
    s += order
    for (let at = 32; at < 64; at++, s /= 256n) second[at] = Number(s % 256n)
    expect(s).toBe(0n)
    const cases: [Uint8Array, Uint8Array][] = [
      [signer.publicKey, second],
      [signer.publicKey, signature.slice(1)],
      [signer.publicKey, new Uint8Array(0)],
      [signer.publicKey, Uint8Array.of(...signature, 0)],
      [signer.publicKey.slice(1), signature],
      [new Uint8Array(32).fill(255), signature],
      [new Uint8Array(0), new Uint8Array(64)],
    ]
    for (const [publicKey, wrong] of cases) {
      for (const { isEd25519Signature } of [node, browser]) {
        expect(isEd25519Signature(publicKey, message, wrong)).toBe(false)
      }
    }
    for (let count = 0; count < 50; count++) {
      const [publicKey, wrong] = [new Uint8Array(randomBytes(32)), new Uint8Array(randomBytes(64))]
      expect(browser.isEd25519Signature(publicKey, message, wrong)).toBe(
        node.isEd25519Signature(publicKey, message, wrong),
      )
    }
  })

  test('in its randomness, which is as long as asked for and never the same', () => {
    for (const { randomBytes: random } of [node, browser]) {
      expect(random(32)).toHaveLength(32)
      expect(random(32)).not.toEqual(random(32))
    }
  })
})

describe('gatebook/proof', () => {
  const { files, outside } = loadedBy('proof/index.ts')

  test('loads proof/ and util/, and of Node only what the browser has its own of', () => {
    expect(outside).toEqual(['node:crypto'])
    expect(files.filter((file) => !/^(proof|util)\//.test(file))).toEqual([])
    const { browser: swapped } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { browser: object }
    expect(swapped).toEqual({
      './dist/proof/platform.js': './dist/proof/platform-browser.js',
      // Not of the proofs: for whoever opens what an event commits to.
      './dist/event/commitment.js': './dist/event/commitment-browser.js',
    })
  })

  test('names nothing that only Node has', () => {
    const named = files.filter((file) =>
      /\b(process|Buffer|require|__dirname|NodeJS|setImmediate)\b/.test(
        readFileSync(join(ROOT, 'src', file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, ''),
      ),
    )
    expect(named).toEqual(['proof/platform.ts'])
  })
})
