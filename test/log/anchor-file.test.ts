import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { AnchorError, type Published } from '../../src/log/anchor.ts'
import { appendNote } from '../../src/log/anchor-file.ts'
import { createFileAnchor } from '../../src/log/anchors/file.ts'
import { formatNote, parseNote } from '../../src/proof/index.ts'
import { createMemoryLog } from './memory-log.ts'
import { type AnchoredNote, readAnchorFile } from './read-anchor-file.ts'

const never = new AbortController().signal

function newPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatebook-anchor-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'anchors')
}

async function publishedOf(...sizes: number[]): Promise<Published[]> {
  const log = createMemoryLog('log.example/größe')
  log.append(Math.max(...sizes))
  return Promise.all(sizes.map((size) => log.checkpoint(size)))
}

async function read(path: string): Promise<AnchoredNote[]> {
  const notes: AnchoredNote[] = []
  for await (const note of readAnchorFile(path)) notes.push(note)
  return notes
}

const sizes = (notes: readonly AnchoredNote[]): number[] => notes.map(({ checkpoint }) => checkpoint.size)

/** The note as it is when a witness has signed it as well. */
function cosigned(note: string): string {
  const { text, signatures } = parseNote(note)
  return formatNote({ text, signatures: [...signatures, { name: 'w1', keyId: 7, signature: new Uint8Array(72) }] })
}

describe('an anchor file', () => {
  test('has one note after the other, which can be read again', async () => {
    const path = newPath()
    const published = await publishedOf(1, 2, 3)
    const anchor = createFileAnchor({ name: 'file', path })
    for (const each of published) await anchor.put(each, never)
    expect(readFileSync(path, 'utf8')).toBe(published.map(({ note }) => `${note}\n`).join(''))
    expect(await read(path)).toEqual(
      published.map(({ note, checkpoint }, at) => ({ note, checkpoint, line: 1 + at * 6 })),
    )
  })

  test('skips what is its last note, and not what was before or has another signature', async () => {
    const path = newPath()
    const [first, second] = (await publishedOf(1, 2)).map(({ note }) => note) as [string, string]
    const written: boolean[] = []
    for (const note of [first, first, second, second, first, cosigned(first), cosigned(first)]) {
      written.push(await appendNote(path, note))
    }
    expect(written).toEqual([true, false, true, false, true, true, false])
    expect(sizes(await read(path))).toEqual([1, 2, 1, 1])
  })

  test('that a crash has left at any byte of its last note is read without it and goes on', async () => {
    const [first, second, third] = (await publishedOf(1, 2, 3)) as [Published, Published, Published]
    const path = newPath()
    await appendNote(path, first.note)
    const whole = readFileSync(path).length
    await appendNote(path, cosigned(second.note))
    const bytes = readFileSync(path)
    for (let length = whole; length < bytes.length; length++) {
      writeFileSync(path, bytes)
      truncateSync(path, length)
      expect([length, sizes(await read(path))]).toEqual([length, [1]])
      for (const next of [second, second, third]) await appendNote(path, next.note)
      expect([length, sizes(await read(path))]).toEqual([length, [1, 2, 3]])
      // Nothing that was there has gone: the file may be append-only.
      expect(readFileSync(path).subarray(0, length).equals(bytes.subarray(0, length))).toBe(true)
    }
  })

  test('that a crash has left when it was new goes on as well', async () => {
    const [first] = (await publishedOf(1)) as [Published]
    for (let length = 1; length < first.note.length; length++) {
      const path = newPath()
      writeFileSync(path, Buffer.from(first.note).subarray(0, length))
      await appendNote(path, first.note)
      await appendNote(path, first.note)
      expect([length, sizes(await read(path))]).toEqual([length, [1]])
    }
  })

  test('goes on behind bytes that never reached the disk', async () => {
    const path = newPath()
    const [first, second] = (await publishedOf(1, 2)) as [Published, Published]
    await appendNote(path, first.note)
    appendFileSync(path, Buffer.alloc(200))
    expect(sizes(await read(path))).toEqual([1])
    await appendNote(path, second.note)
    expect(sizes(await read(path))).toEqual([1, 2])
  })

  test('can be longer than what is read of it at once', async () => {
    const path = newPath()
    const [first] = (await publishedOf(1)) as [Published]
    const count = 2000
    writeFileSync(path, `${first.note}\n`.repeat(count))
    expect(readFileSync(path).length).toBeGreaterThan(3 * 65_536)
    expect(await appendNote(path, first.note)).toBe(false)
    expect(await read(path)).toHaveLength(count)
  })

  test.each<[string, (note: string) => string, string]>([
    ['an empty line too many', (note) => `${note}\n\n${note}\n`, 'ERR_NOTE_MALFORMED'],
    ['an empty line at the start', (note) => `\n${note}\n`, 'ERR_NOTE_MALFORMED'],
    ['no empty line between two notes', (note) => `${note}${note}\n${note}\n`, 'ERR_NOTE_MALFORMED'],
    ['a text without signatures before a note', (note) => `a\n1\n\n${note}\n`, 'ERR_NOTE_MALFORMED'],
    ['a size with a zero in front', (note) => `${note.replace('\n1\n', '\n01\n')}\n`, 'ERR_CHECKPOINT_MALFORMED'],
    ['a line feed of two characters', (note) => `${note.replaceAll('\n', '\r\n')}\n\n`, 'ERR_NOTE_MALFORMED'],
    ['a control character', (note) => `${note.replace('ö', '\u0000')}\n`, 'ERR_NOTE_MALFORMED'],
    ['text behind the mark', (note) => `${note.slice(0, 60)}\n# cut off\nmore\n\n${note}\n`, 'ERR_NOTE_MALFORMED'],
    ['a line without end', (note) => `${note}\n${'x'.repeat(70_000)}`, 'ERR_NOTE_MALFORMED'],
    ['a note without end', (note) => `${note}\n${'line\n'.repeat(20_000)}`, 'ERR_NOTE_MALFORMED'],
  ])('with %s is refused', async (_what, spoil, code) => {
    const path = newPath()
    const [first] = (await publishedOf(1)) as [Published]
    const bytes = Buffer.from(spoil(first.note))
    writeFileSync(path, bytes)
    await expect(read(path)).rejects.toMatchObject({ code, message: expect.stringContaining(path) })
  })

  test('with a byte that is no UTF-8 is refused', async () => {
    const path = newPath()
    const [first] = (await publishedOf(1)) as [Published]
    const bytes = Buffer.from(`${first.note}\n`)
    bytes[bytes.indexOf('ö')] = 0xff
    writeFileSync(path, bytes)
    await expect(read(path)).rejects.toMatchObject({
      code: 'ERR_NOTE_MALFORMED',
      message: expect.stringContaining('UTF-8'),
    })
  })

  test('that cannot be written is a failure with the code of the system', async () => {
    const [first] = (await publishedOf(1)) as [Published]
    const missing = join(newPath(), 'missing', 'anchors')
    const failed = createFileAnchor({ name: 'file', path: missing }).put(first, never)
    await expect(failed).rejects.toThrow(new AnchorError('The file cannot be written (ENOENT).'))
    await expect(read(missing)).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
