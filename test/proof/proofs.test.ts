import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { extendConsistencyProof } from '../../src/proof/consistency.ts'
import {
  computeConsistencyProof,
  computeInclusionProof,
  computeLeafHash,
  computeNodeHash,
  createHashReader,
  EMPTY_ROOT,
  type HashReader,
  verifyConsistency,
  verifyInclusion,
} from '../../src/proof/index.ts'
import { makeLeaves, path, proof, treeHash } from './naive-tree.ts'
import { codeOf, expectRefused } from './refused.ts'

const SIZES = 33
const hashes = makeLeaves(SIZES + 1).map(computeLeafHash)
const reader = createHashReader(hashes)
const roots = Array.from({ length: SIZES + 2 }, (_, size) => treeHash(hashes.slice(0, size)))
const stranger = computeLeafHash(new TextEncoder().encode('stranger'))

/** Everything that can be done to a proof without knowing better. */
function mutations(of: readonly Uint8Array[], more: readonly Uint8Array[]): Uint8Array[][] {
  const flipped = of.map((hash, at) => {
    const bytes = hash.slice()
    bytes[(at * 7) % 32]! ^= 1 << (at % 8)
    return of.with(at, bytes)
  })
  const swapped = of.slice(1).map((hash, at) => of.with(at, hash).with(at + 1, of[at]!))
  const inserted = more.flatMap((hash) => [0, 1, of.length].map((at) => of.toSpliced(at, 0, hash)))
  return [...flipped, ...swapped, ...of.map((_, at) => of.toSpliced(at, 1)), ...inserted]
}

const same = (a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean =>
  a.length === b.length && a.every((hash, at) => Buffer.compare(hash, b[at]!) === 0)

describe('an inclusion proof', () => {
  test(`of every leaf in every tree of up to ${SIZES} leaves is that of RFC 6962, and is accepted`, async () => {
    for (let size = 1; size <= SIZES; size++) {
      for (let index = 0; index < size; index++) {
        const found = await computeInclusionProof(reader, index, size)
        expect(found).toEqual(path(index, hashes.slice(0, size)))
        verifyInclusion({ index, size, leafHash: hashes[index]!, rootHash: roots[size]! }, found)
      }
    }
  })

  test('is refused after every change of the proof, the index, the leaf or the root', async () => {
    for (let size = 1; size <= SIZES; size++) {
      for (let index = 0; index < size; index++) {
        const claim = { index, size, leafHash: hashes[index]!, rootHash: roots[size]! }
        const right = await computeInclusionProof(reader, index, size)
        for (const wrong of mutations(right, [claim.leafHash, claim.rootHash, stranger, new Uint8Array(32)])) {
          if (!same(wrong, right))
            expect(codeOf(() => verifyInclusion(claim, wrong))).toMatch(/^ERR_PROOF_(ROOT|LENGTH)$/)
        }
        for (let other = 0; other < size; other++) {
          if (other !== index) expect(codeOf(() => verifyInclusion({ ...claim, index: other }, right))).not.toBeNull()
        }
        expectRefused(() => verifyInclusion({ ...claim, leafHash: stranger }, right), 'ERR_PROOF_ROOT')
        expectRefused(() => verifyInclusion({ ...claim, rootHash: EMPTY_ROOT }, right), 'ERR_PROOF_ROOT')
      }
    }
  })

  test('for another size is refused, unless the proof says the same for both', async () => {
    for (let size = 1; size <= SIZES; size++) {
      for (let other = 1; other <= SIZES; other++) {
        const index = Math.min(size, other) - 1
        const right = await computeInclusionProof(reader, index, size)
        const claim = { index, size: other, leafHash: hashes[index]!, rootHash: roots[size]! }
        // The size is not hashed into the root; what is bound is the path. A tree head binds the size.
        const path = await computeInclusionProof(reader, index, other)
        if (path.length !== right.length) expect(codeOf(() => verifyInclusion(claim, right))).not.toBeNull()
      }
    }
  })

  test.each([
    [0, 0],
    [1, 1],
    [5, 4],
    [-1, 4],
    [0.5, 4],
    [0, -1],
    [0, 2 ** 53],
    [Number.NaN, 1],
    [2 ** 53, 2 ** 53],
  ])('of index %d in a tree of size %d is none', async (index, size) => {
    const claim = { index, size, leafHash: hashes[0]!, rootHash: hashes[0]! }
    expectRefused(() => verifyInclusion(claim, []), 'ERR_PROOF_SIZE')
    await expect(computeInclusionProof(reader, index, size)).rejects.toMatchObject({ code: 'ERR_PROOF_SIZE' })
  })

  test('has nothing but hashes in it', () => {
    const claim = { index: 0, size: 2, leafHash: hashes[0]!, rootHash: roots[2]! }
    verifyInclusion(claim, [hashes[1]!])
    for (const length of [0, 31, 33]) {
      const short = new Uint8Array(length)
      expectRefused(() => verifyInclusion(claim, [short]), 'ERR_PROOF_HASH')
      expectRefused(() => verifyInclusion({ ...claim, leafHash: short }, [hashes[1]!]), 'ERR_PROOF_HASH')
      expectRefused(() => verifyInclusion({ ...claim, rootHash: short }, [hashes[1]!]), 'ERR_PROOF_HASH')
    }
  })

  test('works in trees beyond 32 bits', () => {
    const size = Number.MAX_SAFE_INTEGER
    for (const index of [0, 2 ** 32, 2 ** 32 + 1, 2 ** 52, size - 1]) {
      // The path upwards, as RFC 6962 splits the tree, in exact integers.
      const sides: ('left' | 'right')[] = []
      for (let [start, end] = [0n, BigInt(size)]; end - start > 1n; ) {
        let split = 1n
        while (split * 2n < end - start) split *= 2n
        const isLeft = BigInt(index) < start + split
        sides.unshift(isLeft ? 'right' : 'left')
        if (isLeft) end = start + split
        else start += split
      }
      const siblings = sides.map((_, at) => computeLeafHash(Uint8Array.of(at)))
      const rootHash = siblings.reduce(
        (hash, sibling, at) => (sides[at] === 'left' ? computeNodeHash(sibling, hash) : computeNodeHash(hash, sibling)),
        hashes[0]!,
      )
      const claim = { index, size, leafHash: hashes[0]!, rootHash }
      verifyInclusion(claim, siblings)
      expectRefused(() => verifyInclusion(claim, siblings.slice(1)), 'ERR_PROOF_LENGTH')
      expectRefused(() => verifyInclusion(claim, [...siblings, stranger]), 'ERR_PROOF_LENGTH')
    }
  })
})

describe('a consistency proof', () => {
  const head = (size: number): { size: number; rootHash: Uint8Array } => ({ size, rootHash: roots[size]! })

  test(`between every two sizes up to ${SIZES} is that of RFC 6962, and is accepted`, async () => {
    for (let newSize = 1; newSize <= SIZES; newSize++) {
      for (let oldSize = 1; oldSize <= newSize; oldSize++) {
        const found = await computeConsistencyProof(reader, oldSize, newSize)
        expect(found).toEqual(proof(oldSize, hashes.slice(0, newSize)))
        verifyConsistency(head(oldSize), head(newSize), found)
      }
    }
  })

  test('is refused after every change of the proof, of a root or of a size', async () => {
    for (let newSize = 1; newSize <= SIZES; newSize++) {
      for (let oldSize = 1; oldSize <= newSize; oldSize++) {
        const [older, newer] = [head(oldSize), head(newSize)]
        const right = await computeConsistencyProof(reader, oldSize, newSize)
        for (const wrong of mutations(right, [older.rootHash, newer.rootHash, stranger, new Uint8Array(32)])) {
          if (!same(wrong, right)) {
            expect(codeOf(() => verifyConsistency(older, newer, wrong))).toMatch(/^ERR_PROOF_(OLD_ROOT|ROOT|LENGTH)$/)
          }
        }
        expect(codeOf(() => verifyConsistency({ ...older, rootHash: stranger }, newer, right))).not.toBeNull()
        expect(codeOf(() => verifyConsistency(older, { ...newer, rootHash: stranger }, right))).not.toBeNull()
        for (const other of [oldSize - 1, oldSize + 1, newSize]) {
          if (other === oldSize || other < 1 || other > newSize) continue
          expect(codeOf(() => verifyConsistency({ ...older, size: other }, newer, right))).not.toBeNull()
        }
      }
    }
  })

  test('of a tree that was rewritten does not exist', async () => {
    // The adversary's tree has another leaf at 7; whatever proof he makes, the head of before is not that of his tree.
    const forged = hashes.with(7, stranger)
    const forgedReader = createHashReader(forged)
    for (let oldSize = 8; oldSize <= SIZES; oldSize++) {
      const newer = { size: SIZES, rootHash: treeHash(forged.slice(0, SIZES)) }
      const best = await computeConsistencyProof(forgedReader, oldSize, SIZES)
      expect(codeOf(() => verifyConsistency(head(oldSize), newer, best))).not.toBeNull()
      const honest = await computeConsistencyProof(reader, oldSize, SIZES)
      expect(codeOf(() => verifyConsistency(head(oldSize), newer, honest))).not.toBeNull()
    }
  })

  test('from the empty tree is empty, and says nothing of the newer one', async () => {
    const empty = { size: 0, rootHash: EMPTY_ROOT }
    for (const newSize of [0, 1, 2, 7, SIZES]) {
      expect(await computeConsistencyProof(reader, 0, newSize)).toEqual([])
      verifyConsistency(empty, head(newSize), [])
      expectRefused(() => verifyConsistency(empty, head(newSize), [stranger]), 'ERR_PROOF_LENGTH')
      expectRefused(() => verifyConsistency({ size: 0, rootHash: stranger }, head(newSize), []), 'ERR_PROOF_OLD_ROOT')
    }
    expectRefused(() => verifyConsistency(empty, { size: 0, rootHash: stranger }, []), 'ERR_PROOF_ROOT')
  })

  test('between trees of one size is empty, and they are one tree', () => {
    verifyConsistency(head(7), head(7), [])
    expectRefused(() => verifyConsistency(head(7), head(7), [roots[7]!]), 'ERR_PROOF_LENGTH')
    expectRefused(() => verifyConsistency(head(7), { size: 7, rootHash: stranger }, []), 'ERR_PROOF_ROOT')
  })

  test.each([
    [3, 2],
    [1, 0],
    [-1, 2],
    [1, 1.5],
    [1, 2 ** 53],
    [Number.NaN, 1],
  ])('does not exist from size %d to size %d', async (oldSize, newSize) => {
    const [older, newer] = [oldSize, newSize].map((size) => ({ size, rootHash: stranger }))
    expectRefused(() => verifyConsistency(older!, newer!, []), 'ERR_PROOF_SIZE')
    await expect(computeConsistencyProof(reader, oldSize, newSize)).rejects.toMatchObject({ code: 'ERR_PROOF_SIZE' })
  })
})

describe('in a large tree', () => {
  const count = 70_000
  const leafHashes = Array.from({ length: count }, (_, at) => computeLeafHash(new TextEncoder().encode(`leaf ${at}`)))
  const stored = createHashReader(leafHashes)
  const counted = (): { reader: HashReader; reads: string[] } => {
    const reads: string[] = []
    const readTile: HashReader['readTile'] = (level, index, width) => {
      reads.push(`${level}/${index}`)
      return stored.readTile(level, index, width)
    }
    return { reader: { readTile }, reads }
  }
  const rootAt = new Map<number, Uint8Array>()
  const root = (size: number): Uint8Array => {
    if (!rootAt.has(size)) rootAt.set(size, treeHash(leafHashes.slice(0, size)))
    return rootAt.get(size)!
  }
  const sizes = fc.constantFrom(1, 2, 255, 256, 257, 1000, 65_535, 65_536, 65_537, 69_632, 69_999, count)

  test('proofs are made from a handful of tiles, each read once', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(count - 1), async (size, at) => {
        const index = at % size
        const { reader, reads } = counted()
        const found = await computeInclusionProof(reader, index, size)
        verifyInclusion({ index, size, leafHash: leafHashes[index]!, rootHash: root(size) }, found)
        expect(new Set(reads).size).toBe(reads.length)
        expect(reads.length).toBeLessThanOrEqual(5)
      }),
      { numRuns: 200 },
    )
    await fc.assert(
      fc.asyncProperty(sizes, sizes, async (a, b) => {
        const [older, newer] = [Math.min(a, b), Math.max(a, b)]
        const { reader, reads } = counted()
        const found = await computeConsistencyProof(reader, older, newer)
        verifyConsistency({ size: older, rootHash: root(older) }, { size: newer, rootHash: root(newer) }, found)
        expect(new Set(reads).size).toBe(reads.length)
        expect(reads.length).toBeLessThanOrEqual(6)
      }),
      { numRuns: 100 },
    )
  })

  test('a tile with a wrong hash gives a proof that is refused', async () => {
    const lying: HashReader = {
      async readTile(level, index, width) {
        const bytes = (await stored.readTile(level, index, width)).slice()
        if (level === 1) bytes[32 * 5]! ^= 1
        return bytes
      },
    }
    const found = await computeInclusionProof(lying, 100, count)
    const claim = { index: 100, size: count, leafHash: leafHashes[100]!, rootHash: root(count) }
    expectRefused(() => verifyInclusion(claim, found), 'ERR_PROOF_ROOT')
  })

  test('a proof that was kept goes on to every later size, without the leaves that are gone', async () => {
    const older = fc.integer({ min: 1, max: 69_000 })
    await fc.assert(
      fc.asyncProperty(older, fc.nat(300), fc.nat(300), async (size, a, b) => {
        const end = Math.ceil(size / 256) * 256
        const at = (blocks: number): number => Math.min(end + blocks * 256, count - (count % 256))
        const [kept, newer] = [Math.max(end + 256, at(a)), Math.max(end, at(b))]
        const known = await computeConsistencyProof(stored, size, Math.min(kept, count))
        const above: HashReader = {
          async readTile(level, index, width) {
            if (level === 0 && index * 256 < end) throw new Error(`tile 0/${index} is gone`)
            return stored.readTile(level, index, width)
          },
        }
        for (const target of [newer, count]) {
          const found = await extendConsistencyProof(above, size, target, known)
          expect(found).toEqual(await computeConsistencyProof(stored, size, target))
        }
      }),
      {
        numRuns: 200,
        examples: [
          [1, 0, 1],
          [255, 0, 0],
          [256, 1, 0],
          [257, 2, 5],
          [65_535, 0, 3],
          [65_536, 0, 0],
        ],
      },
    )
    await expect(extendConsistencyProof(stored, 300, 1024, [])).rejects.toThrow('too few')
    await expect(extendConsistencyProof(stored, 300, 511, [])).rejects.toThrow('not full')
  })

  test('that was pruned at 65,536, what is left is enough for all that is promised', async () => {
    const minimum = 65_536
    const pruned: HashReader = {
      async readTile(level, index, width) {
        const end = (index + 1) * 256 ** (level + 1)
        if (width === 256 && end <= minimum) throw new Error(`tile ${level}/${index} is gone`)
        return stored.readTile(level, index, width)
      },
    }
    for (const index of [65_536, 65_537, 69_999]) {
      const found = await computeInclusionProof(pruned, index, count)
      verifyInclusion({ index, size: count, leafHash: leafHashes[index]!, rootHash: root(count) }, found)
    }
    for (const older of [65_536, 65_537, 69_632]) {
      const found = await computeConsistencyProof(pruned, older, count)
      verifyConsistency({ size: older, rootHash: root(older) }, { size: count, rootHash: root(count) }, found)
    }
    await expect(computeInclusionProof(pruned, 65_535, count)).rejects.toThrow('is gone')
  })
})
