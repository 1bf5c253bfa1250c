import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type CanonicalValue, encodeCanonical } from '../../src/event/canonical.ts'
import { type CommittedFields, computeCommitment } from '../../src/event/commitment.ts'
import { LeafError, parseLeaf } from '../../src/event/parse-leaf.ts'
import { computeStateDigest, type StateKind } from '../../src/event/state.ts'
import { computeLeafHash, computeWriterMac } from '../../src/log/leaf.ts'
import { parseMasterSecret } from '../../src/secret/master-secret.ts'
import { findFault, type StoredEntry } from './verify-entry.ts'

interface VectorOpening {
  readonly id: { readonly salt: string; readonly fields: Readonly<Record<string, string | number>> }
  readonly net: { readonly salt: string; readonly fields: Readonly<Record<string, string | number>> }
  readonly state?: Readonly<Record<string, CommittedFields>>
}

interface Vectors {
  readonly secret: string
  readonly writer_key: string
  readonly event_id: string
  readonly valid: readonly {
    readonly name: string
    readonly opening: VectorOpening
    readonly leaf: string
    readonly leaf_hash: string
    readonly mac: string
  }[]
  readonly invalid: readonly {
    readonly name: string
    readonly leaf_hex: string
    readonly opening?: VectorOpening
    readonly leaf_hash?: string
    readonly mac?: string
    readonly refused: string
  }[]
}

const path = new URL('../../spec/vectors/entry.json', import.meta.url)
const vectors = JSON.parse(readFileSync(path, 'utf8')) as Vectors
const writerKey = Buffer.from(vectors.writer_key, 'hex')

function openingOf({ id, net, state }: VectorOpening): StoredEntry['opening'] {
  return {
    ...(state !== undefined && { state }),
    id: { salt: Buffer.from(id.salt, 'hex'), fields: id.fields },
    net: { salt: Buffer.from(net.salt, 'hex'), fields: net.fields },
  }
}

/** The vectors were made by another program in another language, from the specification alone. */
describe('the vectors of spec/entry.md', () => {
  test('are signed with a key that follows from the secret', () => {
    const secret = parseMasterSecret(vectors.secret, 'secret')
    expect(secret.deriveKey('writer-mac', 1)?.toString('hex')).toBe(vectors.writer_key)
  })

  test.each(vectors.valid)('$name is what the library computes', ({ opening, leaf, leaf_hash: hash, mac }) => {
    const content = JSON.parse(leaf) as {
      commit: Record<string, string>
      state?: Record<string, string>
      id: string
    }
    expect(Buffer.from(encodeCanonical(content as CanonicalValue)).toString()).toBe(leaf)
    for (const kind of ['id', 'net'] as const) {
      const { salt, fields } = opening[kind]
      const commitment = computeCommitment(kind, Buffer.from(salt, 'hex'), fields)
      expect(commitment).toBe(content.commit[kind])
    }
    const salt = Buffer.from(opening.id.salt, 'hex')
    const digests = Object.entries(opening.state ?? {}).map(([kind, fields]) => [
      kind,
      computeStateDigest(kind as StateKind, salt, fields),
    ])
    expect(Object.fromEntries(digests)).toEqual(content.state ?? {})
    expect(Buffer.from(computeLeafHash(Buffer.from(leaf))).toString('hex')).toBe(hash)
    expect(computeWriterMac(writerKey, content.id, Buffer.from(hash, 'hex')).toString('hex')).toBe(mac)
  })

  test.each(vectors.valid)('$name is accepted by a verifier', ({ opening, leaf, leaf_hash: hash, mac }) => {
    const entry = {
      eventId: vectors.event_id,
      leaf: Buffer.from(leaf),
      leafHash: Buffer.from(hash, 'hex'),
      mac: Buffer.from(mac, 'hex'),
      opening: openingOf(opening),
    }
    expect(findFault(entry, writerKey)).toBeNull()
  })

  test.each(vectors.valid)('$name is parsed to what it says', ({ leaf }) => {
    const { v: _version, state = {}, data = null, ...said } = JSON.parse(leaf) as Record<string, unknown>
    const absent = { reason: null, session: null, token: null, method: null, request: null, trace: null }
    expect(parseLeaf(Buffer.from(leaf))).toEqual({ ...absent, ...said, state, data })
  })

  test.each(vectors.invalid)('$name is no leaf, or one of something else', ({ leaf_hex: hex, refused }) => {
    let fault: string | null = null
    try {
      parseLeaf(Buffer.from(hex, 'hex'))
    } catch (error) {
      fault = (error as LeafError).fault
      expect(error).toBeInstanceOf(LeafError)
    }
    // The rest is told by comparing it with something.
    expect(fault).toBe(['form', 'length', 'member'].includes(refused) ? refused : null)
  })

  test.each(vectors.invalid)('$name is refused for its $refused', ({ refused, ...mutated }) => {
    const [first] = vectors.valid
    const entry = {
      eventId: vectors.event_id,
      leaf: Buffer.from(mutated.leaf_hex, 'hex'),
      leafHash: Buffer.from(mutated.leaf_hash ?? first!.leaf_hash, 'hex'),
      mac: Buffer.from(mutated.mac ?? first!.mac, 'hex'),
      opening: openingOf(mutated.opening ?? first!.opening),
    }
    expect(findFault(entry, writerKey)).toBe(refused)
  })
})
