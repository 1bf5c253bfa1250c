import { describe, expect, test } from 'vitest'
import {
  computeConsistencyProof,
  computeInclusionProof,
  computeLeafHash,
  computeRoot,
  createHashReader,
  createTreeBuilder,
  EMPTY_FRONTIER,
  formatCheckpoint,
  formatNote,
  formatVerifierKey,
  openCheckpoint,
  openNote,
  parseCheckpoint,
  parseNote,
  parseSigningKey,
  parseVerifierKey,
  signNote,
  verifyConsistency,
  verifyInclusion,
} from '../../src/proof/index.ts'
import { encodeUtf8 } from '../../src/util/bytes.ts'
import { readVectors } from './read-vectors.ts'
import { codeOf, expectRefused } from './refused.ts'

const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'))

interface InclusionVector {
  readonly name: string
  readonly leafIdx: number
  readonly treeSize: number
  readonly root: string
  readonly leafHash: string
  readonly proof: readonly string[]
  readonly wantErr: boolean
}

interface ConsistencyVector {
  readonly name: string
  readonly size1: number
  readonly size2: number
  readonly root1: string
  readonly root2: string
  readonly proof: readonly string[]
  readonly wantErr: boolean
}

describe('transparency-dev/merkle: inclusion', () => {
  const { vectors } = readVectors<{ vectors: InclusionVector[] }>('merkle-inclusion')

  test('has 98 vectors, of which 6 are right', () => {
    expect(vectors).toHaveLength(98)
    expect(vectors.filter(({ wantErr }) => !wantErr)).toHaveLength(6)
  })

  test.each(vectors)('$name', ({ leafIdx, treeSize, root, leafHash, proof, wantErr }) => {
    const claim = { index: leafIdx, size: treeSize, leafHash: fromBase64(leafHash), rootHash: fromBase64(root) }
    expect(codeOf(() => verifyInclusion(claim, proof.map(fromBase64))) !== null).toBe(wantErr)
  })
})

describe('transparency-dev/merkle: consistency', () => {
  const { vectors } = readVectors<{ vectors: ConsistencyVector[] }>('merkle-consistency')

  /** Two equal sizes with two equal roots of 12 bytes are let through there. Here a root has 32 bytes. */
  const NO_HASHES = new Set([
    'additional/sizes-are-equal-and-proof-is-not-empty-where-both-sizes-are-zero',
    'additional/sizes-are-equal-and-proof-is-not-empty-where-both-sizes-are-one',
  ])

  test('has 98 vectors, of which 7 are right', () => {
    expect(vectors).toHaveLength(98)
    expect(vectors.filter(({ wantErr }) => !wantErr)).toHaveLength(7)
  })

  test.each(vectors)('$name', ({ name, size1, size2, root1, root2, proof, wantErr }) => {
    const [older, newer] = [
      { size: size1, rootHash: fromBase64(root1) },
      { size: size2, rootHash: fromBase64(root2) },
    ]
    const code = codeOf(() => verifyConsistency(older, newer, proof.map(fromBase64)))
    if (NO_HASHES.has(name)) expect(code).toBe('ERR_PROOF_HASH')
    else expect(code !== null).toBe(wantErr)
  })

  // There, size1 = 0 is always an error. Here, as for a witness, the empty tree is where every log begins; of these vectors
  // each is refused for another reason, so that this is the only one in which the two differ.
  test('differs in one thing: the empty tree is consistent with every other', () => {
    const empty = { size: 0, rootHash: computeRoot(EMPTY_FRONTIER) }
    verifyConsistency(empty, { size: 1, rootHash: computeLeafHash(new Uint8Array(0)) }, [])
  })
})

describe('the log of transparency-dev/tessera', () => {
  const log = readVectors<{
    signing_key: string
    verifier_key: string
    entries: string[]
    checkpoints: string[]
  }>('tessera-log')
  const leafHashes = log.entries.map((entry) => computeLeafHash(encodeUtf8(entry)))
  const reader = createHashReader(leafHashes)
  const policy = { origin: 'example.com/log/testdata', logKeys: [parseVerifierKey(log.verifier_key)] }
  const heads = log.checkpoints.map((note) => openCheckpoint(note, policy).checkpoint)

  test('has 16 checkpoints, each of them signed by its key over the root of its entries', () => {
    expect(heads.map(({ size }) => size)).toEqual(Array.from({ length: 16 }, (_, size) => size))
    const builder = createTreeBuilder()
    for (const { size, rootHash } of heads) {
      expect(builder.root()).toEqual(rootHash)
      if (size < leafHashes.length) builder.append([leafHashes[size]!])
    }
  })

  test('would be signed by us with the same bytes', () => {
    const key = parseSigningKey(log.signing_key)
    expect(formatVerifierKey(key.verifierKey)).toBe(log.verifier_key)
    expect(heads.map((head) => signNote(formatCheckpoint(head), key))).toEqual(log.checkpoints)
  })

  test('is consistent from each checkpoint to each later one, and has every entry in all that cover it', async () => {
    for (const newer of heads) {
      for (const older of heads.slice(0, newer.size + 1)) {
        const proof = await computeConsistencyProof(reader, older.size, newer.size)
        verifyConsistency(older, newer, proof)
      }
      for (let index = 0; index < newer.size; index++) {
        const proof = await computeInclusionProof(reader, index, newer.size)
        verifyInclusion({ index, leafHash: leafHashes[index]!, ...newer }, proof)
      }
    }
  })
})

const notes = readVectors<{
  go: Record<'signing_key' | 'peter' | 'enoch' | 'text' | 'peter_signature' | 'enoch_signature', string> & {
    wrong_keys: string[]
  }
  c2sp: Record<'poem' | 'sofa' | 'message' | 'message_key', string>
  witnessed: { note: string; log: string; witnesses: string[]; seconds: number }
  keys: { valid: string[]; invalid: string[] }
}>('signed-notes')

describe("golang.org/x/mod's sumdb/note", () => {
  const { signing_key: signingKey, peter, enoch, text, peter_signature: byPeter, enoch_signature: byEnoch } = notes.go
  const [peterKey, enochKey] = [parseVerifierKey(peter), parseVerifierKey(enoch)]

  test('signs with the same bytes', () => {
    expect(signNote(text, parseSigningKey(signingKey))).toBe(`${text}\n${byPeter}`)
  })

  test.each([
    ['the verifier key', peter, parseVerifierKey],
    ['the signing key', signingKey, parseSigningKey],
  ])('%s is refused when anything of it is missing or changed', (_, whole, parse) => {
    parse(whole)
    for (let from = 0; from <= whole.length; from++) {
      for (let to = from; to <= whole.length; to++) {
        if (to - from < whole.length) expectRefused(() => parse(whole.slice(from, to)), 'ERR_NOTE_KEY')
      }
    }
    for (let at = 0; at < whole.length; at++) {
      const next = String.fromCharCode(whole.charCodeAt(at) + 1)
      expectRefused(() => parse(whole.slice(0, at) + next + whole.slice(at + 1)), 'ERR_NOTE_KEY')
    }
  })

  test.each(notes.go.wrong_keys)('%s is refused', (key) => {
    expectRefused(() => parseVerifierKey(key), 'ERR_NOTE_KEY')
  })

  test('opens a note with the keys that it has', () => {
    const both = `${text}\n${byPeter}${byEnoch}`
    const signers = (note: string, keys: Parameters<typeof openNote>[1]): string[] =>
      openNote(note, keys).signatures.map(({ key }) => key.name)
    expect(openNote(both, [peterKey]).text).toBe(text)
    expect(signers(both, [peterKey])).toEqual(['PeterNeumann'])
    expect(signers(both, [enochKey, peterKey])).toEqual(['PeterNeumann', 'EnochRoot'])
    expect(signers(`${text}\n${byPeter}${byPeter}${byEnoch}`, [peterKey])).toEqual(['PeterNeumann'])
    expectRefused(() => openNote(both, []), 'ERR_NOTE_UNSIGNED')
    expectRefused(() => openNote(`${text}\n${byEnoch}`, [enochKey, peterKey, enochKey]), 'ERR_NOTE_KEY')
    expect(signers(`${text}\n${byPeter}`, [enochKey, peterKey, enochKey])).toEqual(['PeterNeumann'])
  })

  test('refuses a wrong signature of a known key, and takes no notice of one of an unknown key', () => {
    const wrong = `${byPeter.slice(0, 60)}ABCD${byPeter.slice(60)}`
    expectRefused(() => openNote(`${text}\n${wrong}`, [peterKey]), 'ERR_NOTE_SIGNATURE')
    expectRefused(() => openNote(`${text}\n${byEnoch}${wrong}`, [peterKey, enochKey]), 'ERR_NOTE_SIGNATURE')
    expect(openNote(`${text}\n${byEnoch}${wrong}`, [enochKey]).signatures).toHaveLength(1)
  })

  test('accepts 100 signatures and no more', () => {
    expect(openNote(`${text}\n${byPeter.repeat(100)}`, [peterKey]).signatures).toHaveLength(1)
    expectRefused(() => openNote(`${text}\n${byPeter.repeat(101)}`, [peterKey]), 'ERR_NOTE_MALFORMED')
    expectRefused(() => openNote(`${text}\n${byPeter.repeat(101)}`, []), 'ERR_NOTE_MALFORMED')
  })

  test.each([
    ['no signature', text],
    ['no signature below the blank line', `${text}\n`],
    ['no newline at its end', `${text}\n${byPeter.slice(0, -1)}`],
    ['a control character', `\u0001${text}\n${byPeter}`],
    ['what is not text', `\ud800${text}\n${byPeter}`],
    ['a name with a space', `${text}\n${byPeter.replace('PeterNeumann', 'Bad Name')}`],
    ['another line below', `${text}\n${byPeter}Unexpected line.\n`],
  ])('with %s is no note', (_, note) => {
    expectRefused(() => openNote(note, [peterKey]), 'ERR_NOTE_MALFORMED')
  })
})

describe('C2SP', () => {
  test('signed-note: its example is what it is when it is written again', () => {
    const { text, signatures } = parseNote(notes.c2sp.poem)
    expect(text).toMatch(/sole:\n\ned è subito sera\.\n$/)
    expect(signatures.map(({ name }) => name)).toEqual(['quasimodo.example/salvatore'])
    expect(formatNote({ text, signatures })).toBe(notes.c2sp.poem)
  })

  test('signed-note: its verifier key opens its example', () => {
    const key = parseVerifierKey(notes.c2sp.message_key)
    expect(openNote(notes.c2sp.message, [key]).text).toBe('This is an example message.\n')
    expect(formatVerifierKey(key)).toBe(notes.c2sp.message_key)
  })

  test('tlog-cosignature: its example is a checkpoint with two signatures, one of them with an instant', () => {
    const { text, signatures } = parseNote(notes.c2sp.sofa)
    expect(parseCheckpoint(text)).toMatchObject({ origin: 'example.com/behind-the-sofa', size: 20_852_163 })
    expect(formatCheckpoint(parseCheckpoint(text))).toBe(text)
    expect(signatures.map(({ signature }) => signature.length)).toEqual([64, 72])
    expect(formatNote({ text, signatures })).toBe(notes.c2sp.sofa)
  })

  test.each(notes.keys.valid)('%s is a verifier key', (key) => {
    expect(formatVerifierKey(parseVerifierKey(key))).toBe(key)
  })

  test.each(notes.keys.invalid)('%s is none', (key) => {
    expectRefused(() => parseVerifierKey(key), 'ERR_NOTE_KEY')
  })
})

describe('a checkpoint that public witnesses have signed', () => {
  const { note, log, witnesses, seconds } = notes.witnessed
  const policy = {
    origin: 'arche2025h1.staging.ct.transparency.dev',
    logKeys: [parseVerifierKey(log)],
    witnesses: witnesses.map(parseVerifierKey),
    quorum: 2,
  }

  test('opens, with the instants of the witnesses', () => {
    const { checkpoint, logSignatures, cosignatures } = openCheckpoint(note, policy)
    expect(checkpoint.size).toBe(1_432_088_532)
    expect(logSignatures.map(({ signedAt }) => signedAt)).toEqual([null])
    expect(cosignatures.map(({ key, signedAt }) => [key.name, signedAt])).toEqual([
      ['witness1.smartit.nu/witness1', seconds * 1000],
      ['remora.n621.de', seconds * 1000],
    ])
  })

  test('is refused with one bit changed, of its text or of a signature that is known', () => {
    const changes: [from: string, to: string][] = [
      ['\n1432088532\n', '\n1432088533\n'],
      ['U7WM79', 'U7WM78'],
      ['2net5wAAAABqEiEg', '2net5wAAAABqEiEh'],
      ['PlfF3V06', 'PlfF3V07'],
      ['ui8GwCF1', 'ui8GwCF2'],
    ]
    for (const [from, to] of changes) {
      expect(note).toContain(from)
      expectRefused(() => openCheckpoint(note.replace(from, to), policy), 'ERR_NOTE_SIGNATURE')
    }
  })

  test('is refused where more witnesses are demanded, and where it is not expected', () => {
    expectRefused(() => openCheckpoint(note, { ...policy, quorum: 3 }), 'ERR_CHECKPOINT_WITNESSES')
    expectRefused(() => openCheckpoint(note, { ...policy, origin: 'example.org/log' }), 'ERR_CHECKPOINT_ORIGIN')
    expectRefused(() => openCheckpoint(note, { ...policy, logKeys: [] }), 'ERR_NOTE_UNSIGNED')
  })

  test('a witness does not stand in for the log', () => {
    const [witness] = policy.witnesses
    const { text, signatures } = parseNote(note)
    const alone = formatNote({ text, signatures: signatures.filter(({ name }) => name === witness!.name) })
    expectRefused(() => openCheckpoint(alone, policy), 'ERR_NOTE_UNSIGNED')
    expect(openNote(alone, policy.witnesses).signatures).toHaveLength(1)
  })
})
