import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { parseCheckpoint } from '../proof/checkpoint.ts'
import { parseNote } from '../proof/note.ts'
import { ProofError } from '../proof/proof-error.ts'

/**
 * A file of signed notes. Each note is followed by an empty line, which is written with it and says that it is whole. Nothing
 * is ever changed or cut off, so that the file may be one to which the operating system only lets append: what a crash has left
 * of a note is closed with the line {@link CUT_OFF}, and is no note.
 */
export const CUT_OFF = '# cut off'
/** More than a note with a hundred signatures has. */
export const RECORD_BYTES = 65_536

/**
 * Appends a note and waits until it is on the disk. `false`: it is already the last one. Makes the file, and closes what a
 * crash has left of a note before.
 */
export async function appendNote(path: string, note: string): Promise<boolean> {
  requireNote(note)
  const file = await open(path, 'a+', 0o644)
  try {
    const { size } = await file.stat()
    const tail = await readTail(file, size)
    if (tail.last === note) {
      // Somebody may have died between writing it and waiting for the disk.
      await file.sync()
      return false
    }
    await file.appendFile(`${tail.closing}${note}\n`)
    await file.sync()
    if (size === 0) await syncFolder(dirname(path))
    return true
  } finally {
    await file.close()
  }
}

interface Tail {
  /** The last note; null when there is none that is whole. */
  readonly last: string | null
  /** What has to be written before the next one. */
  readonly closing: string
}

async function readTail(file: FileHandle, size: number): Promise<Tail> {
  const length = Math.min(size, RECORD_BYTES)
  if (length === 0) return { last: null, closing: '' }
  const bytes = Buffer.alloc(length)
  const { bytesRead } = await file.read(bytes, 0, length, size - length)
  const text = bytes.subarray(0, bytesRead).toString()
  const parts = text.split('\n\n')
  // Only a note that is whole ends with signatures and an empty line.
  const [body = '', signatures = '', rest] = parts.slice(-3)
  const isWhole = rest === '' && parts.length >= 3 && signatures.startsWith('— ')
  if (isWhole) return { last: `${body}\n\n${signatures}\n`, closing: '' }
  if (text.endsWith(`\n${CUT_OFF}\n\n`)) return { last: null, closing: '' }
  return { last: null, closing: `${text.endsWith('\n') ? '' : '\n'}${CUT_OFF}\n\n` }
}

/** The name of a new file has to be on the disk as well. */
async function syncFolder(path: string): Promise<void> {
  // There a folder cannot be opened.
  if (process.platform === 'win32') return
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function requireNote(note: string): void {
  const { text } = parseNote(note)
  if (Buffer.byteLength(note) >= RECORD_BYTES) throw new ProofError('ERR_NOTE_MALFORMED', 'too long')
  parseCheckpoint(text)
}
