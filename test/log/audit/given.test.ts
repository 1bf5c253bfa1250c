import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createLogVerifier } from '../../../src/log/audit/log-verifier.ts'
import { readNoteFile } from '../../../src/log/note-file.ts'
import { formatCheckpoint } from '../../../src/proof/checkpoint.ts'
import { signNote } from '../../../src/proof/note.ts'
import { formatVerifierKey, parseSigningKey, renameSigningKey } from '../../../src/proof/note-key.ts'
import { ProofError } from '../../../src/proof/proof-error.ts'
import { codeOf } from '../../support/gate.ts'
import { LOG_KEY } from '../../support/log-signing.ts'

const KEY = parseSigningKey(LOG_KEY)
const VKEY = formatVerifierKey(KEY.verifierKey)

function sign(size: number, epoch = 1): string {
  const origin = epoch === 1 ? KEY.name : `${KEY.name}/e${epoch}`
  const key = epoch === 1 ? KEY : parseSigningKey(renameSigningKey(LOG_KEY, origin))
  return signNote(formatCheckpoint({ origin, size, rootHash: new Uint8Array(32).fill(size) }), key)
}

async function read(text: string): Promise<(readonly [number, string])[]> {
  const path = join(tmpdir(), `gatebook-notes-${process.pid}`)
  writeFileSync(path, text)
  const notes: (readonly [number, string])[] = []
  for await (const { note, line } of readNoteFile(path)) notes.push([line, note])
  return notes
}

describe('a file of notes', () => {
  const [one, two] = [sign(1), sign(2)]
  test.each([
    ['one note', one, [[1, one]]],
    [
      'notes one after the other',
      `${one}${two}`,
      [
        [1, one],
        [6, two],
      ],
    ],
    [
      'an anchor file',
      `${one}\n${two}\n`,
      [
        [1, one],
        [7, two],
      ],
    ],
    [
      'a note that was cut off before another one',
      `${one}\n${two.slice(0, 30)}\n# cut off\n\n${two}\n`,
      [
        [1, one],
        [12, two],
      ],
    ],
    ['a note that was cut off at the end', `${one}\n${two.slice(0, 60)}`, [[1, one]]],
  ])('%s', async (_what, text, wanted) => {
    expect(await read(text)).toEqual(wanted)
  })

  test.each([
    ['nothing', ''],
    ['no note', 'hello\n'],
    ['a line that never ends', 'x'.repeat(100_000)],
    ['a text that never ends', 'x\n'.repeat(100_000)],
  ])('of %s cannot be used', async (_what, text) => {
    expect(await codeOf(read(text))).toBe('ERR_FILE')
  })
})

describe('the verifier of a log', () => {
  test('believes its checkpoints of every epoch, and says which', () => {
    const verifier = createLogVerifier([VKEY])
    expect(verifier.open(sign(5))).toMatchObject({ epoch: 1, size: 5, origin: KEY.name })
    expect(verifier.open(sign(6, 3))).toMatchObject({ epoch: 3, size: 6, origin: `${KEY.name}/e3` })
  })

  test.each([
    ['of another log', sign(5).replaceAll(KEY.name, 'other.example/log')],
    ['of an epoch that is signed as another', sign(5, 2).replaceAll('/e2', '/e3')],
    ['of an epoch that is written in another way', sign(5, 2).replaceAll('/e2', '/e02')],
    ['of epoch 1 by the name of a later one', sign(5).replaceAll(KEY.name, `${KEY.name}/e1`)],
    ['whose size was changed', sign(5).replace('\n5\n', '\n6\n')],
  ])('believes none %s', (_what, note) => {
    expect(() => createLogVerifier([VKEY]).open(note)).toThrow(ProofError)
  })

  test('is made of keys of one log', () => {
    expect(() => createLogVerifier([])).toThrow()
    expect(() => createLogVerifier(['x'])).toThrow()
  })
})
