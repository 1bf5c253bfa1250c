import { createPrivateKey, sign } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  createVerifierKey,
  formatCheckpoint,
  formatNote,
  formatVerifierKey,
  generateLogKey,
  type NoteSignature,
  openCheckpoint,
  openNote,
  ProofError,
  parseCheckpoint,
  parseNote,
  parseSignatures,
  parseSigningKey,
  parseVerifierKey,
  signNote,
  type VerifierKey,
} from '../../src/proof/index.ts'
import { concatBytes, encodeUtf8 } from '../../src/util/bytes.ts'
import { codeOf, expectRefused } from './refused.ts'

const seed = new Uint8Array(32).fill(9)
const privateKey = createPrivateKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
  format: 'der',
  type: 'pkcs8',
})
const publicKey = new Uint8Array(Buffer.from(privateKey.export({ format: 'jwk' }).x as string, 'base64url'))
const witness = createVerifierKey('witness.example/w', publicKey, 'cosignature')

/** As C2SP tlog-cosignature says, without the library. */
function cosign(text: string, seconds: bigint): NoteSignature {
  const timestamp = new Uint8Array(8)
  new DataView(timestamp.buffer).setBigUint64(0, seconds)
  const signature = sign(null, encodeUtf8(`cosignature/v1\ntime ${seconds}\n${text}`), privateKey)
  return { name: witness.name, keyId: witness.keyId, signature: concatBytes(timestamp, signature) }
}

const origin = 'log.example/gate'
const generated = generateLogKey(origin)
const logKey = parseSigningKey(generated.signingKey)
const checkpoint = { origin, size: 5, rootHash: new Uint8Array(32).fill(7) }
const text = formatCheckpoint(checkpoint)
const note = signNote(text, logKey)

describe('a log key', () => {
  test('is made, written and read again', () => {
    expect(generated.verifierKey).toBe(formatVerifierKey(logKey.verifierKey))
    expect(parseVerifierKey(generated.verifierKey)).toEqual(logKey.verifierKey)
    expect(openNote(note, [parseVerifierKey(generated.verifierKey)]).text).toBe(text)
    expect(generateLogKey(origin)).not.toEqual(generated)
  })

  test('does not show its private part, nor does what is wrong with it', () => {
    const secret = generated.signingKey.split('+').slice(4).join('+')
    expect(JSON.stringify(logKey)).not.toContain(secret.slice(4, 20))
    for (const wrong of [`${generated.signingKey}=`, generated.signingKey.replace('+01', '+02'), secret]) {
      const error = (() => {
        try {
          parseSigningKey(wrong.replace('log.', 'lag.'))
        } catch (thrown) {
          return thrown as ProofError
        }
      })()
      expect(error).toBeInstanceOf(ProofError)
      expect(error!.message).not.toContain(secret.slice(4, 20))
    }
  })

  test.each(['', 'a b', 'a+b', 'a\u0085b', 'a\u00a0b', 'a\u2003b', 'a\nb', 'a\u0000b', '\ud800'])(
    'has no name %j',
    (name) => {
      expectRefused(() => generateLogKey(name), 'ERR_NOTE_KEY')
      expectRefused(() => createVerifierKey(name, publicKey), 'ERR_NOTE_KEY')
      expectRefused(
        () => formatNote({ text, signatures: [{ name, keyId: 1, signature: publicKey }] }),
        'ERR_NOTE_MALFORMED',
      )
    },
  )

  test('is parsed although its base64 has a plus in it', () => {
    // One in two of the keys has one.
    const keys = Array.from({ length: 40 }, () => generateLogKey(origin))
    const withPlus = keys.filter(({ verifierKey }) => verifierKey.split('+').length > 3)
    expect(withPlus.length).toBeGreaterThan(0)
    for (const { verifierKey, signingKey } of keys) {
      expect(formatVerifierKey(parseVerifierKey(verifierKey))).toBe(verifierKey)
      expect(formatVerifierKey(parseSigningKey(signingKey).verifierKey)).toBe(verifierKey)
    }
  })

  test('has one spelling: the id in lower case, the type that signs, 32 bytes', () => {
    const key: VerifierKey = createVerifierKey('a', publicKey)
    const [name, id, encoded] = formatVerifierKey(key).split(/\+(.{8})\+/) as [string, string, string]
    for (const wrong of [
      `${name}+${id.toUpperCase()}+${encoded}`,
      `${name}+0${id}+${encoded}`,
      `${name}+${id}+${encoded} `,
      `${name}+${id}+${encoded.slice(0, -4)}`,
      `${name}+${id}+${encoded}AAAA`,
      ` ${name}+${id}+${encoded}`,
      `${formatVerifierKey(key)}\n`,
    ]) {
      if (wrong !== formatVerifierKey(key)) expectRefused(() => parseVerifierKey(wrong), 'ERR_NOTE_KEY')
    }
    expectRefused(() => parseSigningKey(formatVerifierKey(key)), 'ERR_NOTE_KEY')
    expectRefused(() => createVerifierKey('a', publicKey.slice(1)), 'ERR_NOTE_KEY')
    // A key that makes cosignatures has another id, so that neither is taken for the other.
    expect(createVerifierKey('a', publicKey, 'cosignature').keyId).not.toBe(key.keyId)
  })
})

describe('a note', () => {
  const names = fc.stringMatching(/^[a-z0-9./:-]{1,20}$/)
  const texts = fc
    .array(fc.string({ unit: 'grapheme', maxLength: 20 }), { minLength: 1, maxLength: 5 })
    .map((lines) => `${lines.join('\n').replace(/[^\P{Cc}\n]/gu, '')}\n`)
    .filter((candidate) => candidate.isWellFormed())
  const signatures = fc.array(
    fc.record({ name: names, keyId: fc.nat(2 ** 32 - 1), signature: fc.uint8Array({ minLength: 1, maxLength: 80 }) }),
    { minLength: 1, maxLength: 16 },
  )

  test('is parsed as the exact inverse of how it is written', () => {
    fc.assert(
      fc.property(fc.record({ text: texts, signatures }), (wanted) => {
        const written = formatNote(wanted)
        expect(parseNote(written)).toEqual(wanted)
        expect(formatNote(parseNote(written))).toBe(written)
      }),
    )
  })

  test('that is parsed at all is written again with the same bytes, whatever was done to it', () => {
    let parsed = 0
    fc.assert(
      fc.property(fc.nat(note.length - 1), fc.string({ unit: 'binary', minLength: 0, maxLength: 2 }), (at, other) => {
        const changed = note.slice(0, at) + other + note.slice(at + 1)
        if (codeOf(() => parseNote(changed)) !== null) return
        parsed++
        expect(formatNote(parseNote(changed))).toBe(changed)
      }),
      { numRuns: 2000 },
    )
    expect(parsed).toBeGreaterThan(0)
  })

  test('with any bit of it changed does not open', () => {
    const bytes = encodeUtf8(note)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = bytes.slice()
      changed[bit >> 3]! ^= 1 << (bit & 7)
      const asText = new TextDecoder().decode(changed)
      expect(codeOf(() => openNote(asText, [logKey.verifierKey]))).toMatch(/^ERR_NOTE_(MALFORMED|UNSIGNED|SIGNATURE)$/)
    }
  })

  test.each(['', 'a', 'a\n\tb\n', 'a\r\n', '\ud800\n'])('has no text %j', (wrong) => {
    expectRefused(() => signNote(wrong, logKey), 'ERR_NOTE_MALFORMED')
  })

  test('is signed by several keys while one is changed for another', () => {
    const next = parseSigningKey(generateLogKey(origin).signingKey)
    const both = signNote(text, logKey, next)
    for (const keys of [[logKey.verifierKey], [next.verifierKey]]) {
      expect(openCheckpoint(both, { origin, logKeys: keys }).logSignatures).toHaveLength(1)
    }
    const { logSignatures } = openCheckpoint(both, { origin, logKeys: [next.verifierKey, logKey.verifierKey] })
    expect(logSignatures.map(({ key }) => key.keyId)).toEqual([logKey.keyId, next.keyId])
    expectRefused(() => signNote(text), 'ERR_NOTE_MALFORMED')
  })
})

describe('a cosignature', () => {
  const policy = { origin, logKeys: [logKey.verifierKey], witnesses: [witness], quorum: 1 }
  const cosigned = (by: NoteSignature): string => formatNote({ text, signatures: [...parseNote(note).signatures, by] })

  test('counts, and says when it was made', () => {
    const { cosignatures } = openCheckpoint(cosigned(cosign(text, 1_700_000_000n)), policy)
    expect(cosignatures).toEqual([{ key: witness, signedAt: 1_700_000_000_000 }])
    expectRefused(() => openCheckpoint(note, policy), 'ERR_CHECKPOINT_WITNESSES')
  })

  test('comes from a witness as lines, and is put below the note', () => {
    const by = cosign(text, 0n)
    const line = formatNote({ text, signatures: [by] }).slice(text.length + 1)
    expect(parseSignatures(line)).toEqual([by])
    expect(openCheckpoint(note + line, policy).cosignatures).toEqual([{ key: witness, signedAt: 0 }])
    expectRefused(() => parseSignatures(line.slice(0, -1)), 'ERR_NOTE_MALFORMED')
    expectRefused(() => parseSignatures(''), 'ERR_NOTE_MALFORMED')
  })

  test('of another text, at another instant, or of another length is wrong', () => {
    const right = cosign(text, 1_700_000_000n)
    const later = right.signature.slice()
    later[7]! ^= 1
    const wrong: Uint8Array[] = [
      cosign(`${text}x\n`, 1_700_000_000n).signature,
      later,
      right.signature.slice(8),
      right.signature.slice(1),
      concatBytes(right.signature, Uint8Array.of(0)),
      // Valid signatures over instants that no number of milliseconds stands for exactly, or that the format forbids.
      cosign(text, 2n ** 63n).signature,
      cosign(text, BigInt(Number.MAX_SAFE_INTEGER)).signature,
    ]
    for (const signature of wrong) {
      expectRefused(() => openCheckpoint(cosigned({ ...right, signature }), policy), 'ERR_NOTE_SIGNATURE')
    }
  })

  test('is none when it signs the text alone', () => {
    const plain = sign(null, encodeUtf8(text), privateKey)
    const by = { name: witness.name, keyId: witness.keyId, signature: new Uint8Array(plain) }
    expectRefused(() => openCheckpoint(cosigned(by), policy), 'ERR_NOTE_SIGNATURE')
  })
})

describe('a checkpoint', () => {
  test('is parsed as the exact inverse of how it is written', () => {
    const lines = fc.stringMatching(/^[!-~][ -~]{0,30}$/)
    fc.assert(
      fc.property(
        fc.record(
          {
            origin: lines,
            size: fc.nat(Number.MAX_SAFE_INTEGER),
            rootHash: fc.uint8Array({ minLength: 32, maxLength: 32 }),
            extensions: fc.array(lines, { minLength: 1, maxLength: 3 }),
          },
          { requiredKeys: ['origin', 'size', 'rootHash'] },
        ),
        (wanted) => {
          expect(parseCheckpoint(formatCheckpoint(wanted))).toEqual(wanted)
        },
      ),
    )
  })

  const root = Buffer.alloc(32, 7).toString('base64')

  test.each([
    ['an empty text', ''],
    ['no newline at its end', `a\n5\n${root}`],
    ['two lines', 'a\n5\n'],
    ['no origin', `\n5\n${root}\n`],
    ['a leading zero', `a\n05\n${root}\n`],
    ['a sign', `a\n+5\n${root}\n`],
    ['a negative size', `a\n-5\n${root}\n`],
    ['a size in hexadecimal', `a\n0x5\n${root}\n`],
    ['a size with a fraction', `a\n5.0\n${root}\n`],
    ['a size with an exponent', `a\n5e3\n${root}\n`],
    ['a size beyond 2^53', `a\n9007199254740992\n${root}\n`],
    ['a size beyond all bounds', `a\n3438945738945739845734895735\n${root}\n`],
    ['a size of other digits', `a\n٥\n${root}\n`],
    ['a size with a space', `a\n5 \n${root}\n`],
    ['a root without padding', `a\n5\n${root.slice(0, -1)}\n`],
    ['a root in base64url', `a\n5\n${Buffer.alloc(32, 0xff).toString('base64url')}=\n`],
    ['a root with set bits behind its end', `a\n5\n${`${root.slice(0, -2)}d=`}\n`],
    ['a root of 31 bytes', `a\n5\n${Buffer.alloc(31, 7).toString('base64')}\n`],
    ['a root of 33 bytes', `a\n5\n${Buffer.alloc(33, 7).toString('base64')}\n`],
    ['an empty extension line', `a\n5\n${root}\n\n`],
    ['an empty line between extensions', `a\n5\n${root}\nx\n\ny\n`],
    ['an extension without its newline', `a\n5\n${root}\nx`],
    ['a carriage return', `a\n5\r\n${root}\n`],
    ['a control character', `a\u0001\n5\n${root}\n`],
    ['half a character', `\ud800\n5\n${root}\n`],
  ])('with %s is none', (_, wrong) => {
    expectRefused(() => parseCheckpoint(wrong), 'ERR_CHECKPOINT_MALFORMED')
  })

  test('that could not be read again is not written', () => {
    for (const wrong of ['', 'a\nb', 'a\rb', '\udfff']) {
      expectRefused(() => formatCheckpoint({ ...checkpoint, origin: wrong }), 'ERR_CHECKPOINT_MALFORMED')
      expectRefused(() => formatCheckpoint({ ...checkpoint, extensions: [wrong] }), 'ERR_CHECKPOINT_MALFORMED')
    }
    expectRefused(() => formatCheckpoint({ ...checkpoint, size: 2 ** 53 }), 'ERR_PROOF_SIZE')
    expectRefused(() => formatCheckpoint({ ...checkpoint, rootHash: publicKey.slice(1) }), 'ERR_PROOF_HASH')
  })

  test('of another log with the same key is refused', () => {
    const other = signNote(formatCheckpoint({ ...checkpoint, origin: 'log.example/other' }), logKey)
    expectRefused(() => openCheckpoint(other, { origin, logKeys: [logKey.verifierKey] }), 'ERR_CHECKPOINT_ORIGIN')
  })

  test('is not read before its signature is right', () => {
    const stranger = parseSigningKey(generateLogKey(origin).signingKey)
    const policy = { origin, logKeys: [logKey.verifierKey] }
    expectRefused(() => openCheckpoint(signNote('no checkpoint\n', stranger), policy), 'ERR_NOTE_UNSIGNED')
    expectRefused(() => openCheckpoint(signNote('no checkpoint\n', logKey), policy), 'ERR_CHECKPOINT_MALFORMED')
  })
})
