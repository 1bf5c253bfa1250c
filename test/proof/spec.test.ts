import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  computeConsistencyProof,
  computeInclusionProof,
  computeLeafHash,
  computeRoot,
  createHashReader,
  decodeBundle,
  decodeFrontier,
  decodeTile,
  EMPTY_FRONTIER,
  encodeBundle,
  encodeFrontier,
  encodeTile,
  extendFrontier,
  formatCheckpoint,
  formatReceipt,
  formatTilePath,
  formatVerifierKey,
  openCheckpoint,
  PROOF_ERRORS,
  type ProofErrorCode,
  parseReceipt,
  parseSigningKey,
  parseTilePath,
  parseVerifierKey,
  signNote,
  verifyConsistency,
  verifyInclusion,
  verifyReceipt,
} from '../../src/proof/index.ts'
import { encodeUtf8 } from '../../src/util/bytes.ts'
import { encodeHex } from '../../src/util/hex.ts'
import { expectRefused } from './refused.ts'

interface Refused {
  readonly name: string
  readonly refused: ProofErrorCode
}

interface InclusionVector {
  readonly name: string
  readonly index: number
  readonly size: number
  readonly leaf_hash: string
  readonly root: string
  readonly proof: readonly string[]
}

interface ConsistencyVector {
  readonly name: string
  readonly old_size: number
  readonly old_root: string
  readonly new_size: number
  readonly new_root: string
  readonly proof: readonly string[]
}

interface Kind<T> {
  readonly valid: readonly T[]
  readonly invalid: readonly (T & Refused)[]
}

interface Vectors {
  readonly origin: string
  readonly signing_key: string
  readonly verifier_key: string
  readonly other_verifier_key: string
  readonly witness_key: string
  readonly entries: readonly string[]
  readonly leaf_hashes: readonly string[]
  readonly trees: readonly { readonly size: number; readonly root: string; readonly frontier: string }[]
  readonly frontiers: { readonly invalid: readonly (Refused & { size: number; frontier: string })[] }
  readonly keys: { readonly invalid: readonly (Refused & { key: string })[] }
  readonly checkpoints: Kind<{ name: string; note: string; size: number; cosigned_at?: number }>
  readonly inclusion: Kind<InclusionVector>
  readonly consistency: Kind<ConsistencyVector>
  readonly files: Readonly<Record<'tile/0/000.p/7' | 'tile/entries/000.p/7', string>>
  readonly bundles: { readonly invalid: readonly (Refused & { width: number; bundle: string })[] }
  readonly paths: {
    readonly valid: readonly { path: string; level: number; index: number; width: number }[]
    readonly invalid: readonly (Refused & { path: string })[]
  }
  readonly receipts: Kind<{ name: string; receipt: string }> & { readonly entry: number }
}

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const vectors = JSON.parse(read('spec/vectors/checkpoint.json')) as Vectors
const page = read('spec/checkpoint.md')
const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))

const entries = vectors.entries.map(encodeUtf8)
const leafHashes = entries.map(computeLeafHash)
const reader = createHashReader(leafHashes)
const key = parseSigningKey(vectors.signing_key)
const policy = {
  origin: vectors.origin,
  logKeys: [parseVerifierKey(vectors.verifier_key)],
  witnesses: [parseVerifierKey(vectors.witness_key)],
}

/** The vectors were made by another program in another language, from the specification alone. */
describe('the vectors of spec/checkpoint.md: trees', () => {
  test('leaf hashes, roots and frontiers at all sizes', () => {
    expect(leafHashes.map(encodeHex)).toEqual(vectors.leaf_hashes)
    expect(vectors.trees.map(({ size }) => size)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    for (const { size, root, frontier } of vectors.trees) {
      const computed = extendFrontier(EMPTY_FRONTIER, leafHashes.slice(0, size))
      expect(encodeHex(computeRoot(computed))).toBe(root)
      expect(encodeHex(encodeFrontier(computed))).toBe(frontier)
      expect(decodeFrontier(size, bytes(frontier))).toEqual(computed)
    }
  })

  test.each(vectors.frontiers.invalid)('frontier $name is refused', ({ size, frontier, refused }) => {
    expectRefused(() => decodeFrontier(size, bytes(frontier)), refused)
  })

  test('files of the export', () => {
    expect(encodeHex(encodeTile(leafHashes))).toBe(vectors.files['tile/0/000.p/7'])
    expect(encodeHex(encodeBundle(entries))).toBe(vectors.files['tile/entries/000.p/7'])
    expect(decodeTile(bytes(vectors.files['tile/0/000.p/7']), 7)).toEqual(leafHashes)
    expect(decodeBundle(bytes(vectors.files['tile/entries/000.p/7']), 7)).toEqual(entries)
  })

  test.each(vectors.bundles.invalid)('bundle $name is refused', ({ bundle, width, refused }) => {
    expectRefused(() => decodeBundle(bytes(bundle), width), refused)
  })

  test.each(vectors.paths.valid)('path $path', ({ path, ...tile }) => {
    expect(formatTilePath(tile)).toBe(path)
    expect(parseTilePath(path)).toEqual(tile)
  })

  test.each(vectors.paths.invalid)('path $name is refused', ({ path, refused }) => {
    expectRefused(() => parseTilePath(path), refused)
  })
})

describe('the vectors of spec/checkpoint.md: notes', () => {
  test('keys', () => {
    expect(formatVerifierKey(key.verifierKey)).toBe(vectors.verifier_key)
    expect(formatVerifierKey(policy.witnesses[0]!)).toBe(vectors.witness_key)
  })

  test.each(vectors.keys.invalid)('key $name is refused', ({ key: wrong, refused }) => {
    expect([vectors.verifier_key, vectors.other_verifier_key]).not.toContain(wrong)
    expectRefused(() => parseVerifierKey(wrong), refused)
  })

  test.each(vectors.checkpoints.valid)('checkpoint $name', ({ note, size, cosigned_at: cosignedAt }) => {
    const { checkpoint, cosignatures } = openCheckpoint(note, policy)
    expect(checkpoint.size).toBe(size)
    expect(encodeHex(checkpoint.rootHash)).toBe(vectors.trees[size]!.root)
    expect(cosignatures.map(({ signedAt }) => signedAt)).toEqual(cosignedAt === undefined ? [] : [cosignedAt])
    // Ed25519 has one signature for one text, so what we sign is in it.
    expect(note).toContain(signNote(formatCheckpoint(checkpoint), key).split('\n\n')[1])
  })

  test.each(vectors.checkpoints.invalid)('checkpoint $name is refused', ({ note, refused }) => {
    expectRefused(() => openCheckpoint(note, policy), refused)
  })
})

describe('the vectors of spec/checkpoint.md: proofs', () => {
  const inclusion = ({ index, size, leaf_hash: leafHash, root, proof }: InclusionVector): void =>
    verifyInclusion({ index, size, leafHash: bytes(leafHash), rootHash: bytes(root) }, proof.map(bytes))

  test.each(vectors.inclusion.valid)('inclusion $name', async (vector) => {
    inclusion(vector)
    expect((await computeInclusionProof(reader, vector.index, vector.size)).map(encodeHex)).toEqual(vector.proof)
  })

  test.each(vectors.inclusion.invalid)('inclusion $name is refused', (vector) => {
    expectRefused(() => inclusion(vector), vector.refused)
  })

  const consistency = (vector: ConsistencyVector): void =>
    verifyConsistency(
      { size: vector.old_size, rootHash: bytes(vector.old_root) },
      { size: vector.new_size, rootHash: bytes(vector.new_root) },
      vector.proof.map(bytes),
    )

  test.each(vectors.consistency.valid)('consistency $name', async (vector) => {
    consistency(vector)
    const proof = await computeConsistencyProof(reader, vector.old_size, vector.new_size)
    expect(proof.map(encodeHex)).toEqual(vector.proof)
  })

  test.each(vectors.consistency.invalid)('consistency $name is refused', (vector) => {
    expectRefused(() => consistency(vector), vector.refused)
  })

  const receipt = (text: string): void => {
    verifyReceipt(parseReceipt(text), leafHashes[vectors.receipts.entry]!, policy)
  }

  test.each(vectors.receipts.valid)('receipt $name', ({ receipt: text }) => {
    receipt(text)
    expect(formatReceipt(parseReceipt(text))).toBe(text)
  })

  test.each(vectors.receipts.invalid)('receipt $name is refused', ({ receipt: text, refused }) => {
    expectRefused(() => receipt(text), refused)
  })
})

describe('the page', () => {
  test('shows the vectors', () => {
    const [, note] = vectors.checkpoints.valid
      .map((vector) => vector.note)
      .filter((text) => text.includes('\n7\n'))[0]!
      .split('\n\n')
    expect(page).toContain(note!.trim())
    expect(page).toContain(vectors.receipts.valid[0]!.receipt)
    expect(page).toContain(vectors.verifier_key)
  })

  test('lists each error once, as the library says it', () => {
    const listed = [...page.matchAll(/^\| `(ERR_[A-Z_]+)` \| (.*) \|$/gm)].map((row) => [row[1], row[2]])
    expect(listed).toEqual(Object.entries(PROOF_ERRORS))
  })

  test('and none that is never thrown', () => {
    const folder = new URL('../../src/proof/', import.meta.url)
    const sources = readdirSync(folder).filter((name) => name !== 'proof-error.ts')
    const thrown = sources.map((name) => readFileSync(new URL(name, folder), 'utf8')).join('')
    const unused = Object.keys(PROOF_ERRORS).filter((code) => !thrown.includes(`'${code}'`))
    expect(unused).toEqual([])
  })

  test('and each of its mutations does change something', () => {
    const same: string[] = []
    for (const kind of ['checkpoints', 'inclusion', 'consistency', 'receipts'] as const) {
      const { valid, invalid } = vectors[kind] as Kind<{ name: string }>
      const plain = (vector: object): string =>
        JSON.stringify({ ...vector, name: '', refused: undefined, size: undefined })
      const known = new Set(valid.map(plain))
      same.push(...invalid.filter((vector) => known.has(plain(vector))).map(({ name }) => `${kind} ${name}`))
    }
    expect(same).toEqual([])
  })
})
