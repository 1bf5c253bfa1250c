import { isUtf8 } from 'node:buffer'
import { createReadStream } from 'node:fs'
import { GatebookError } from '../errors.ts'
import { CUT_OFF, RECORD_BYTES } from './anchor-file.ts'

/** A note out of a file, verified by nobody yet. */
export interface FiledNote {
  readonly note: string
  readonly file: string
  /** Where it begins, counted from 1. */
  readonly line: number
}

const SIGNATURE = Buffer.from('— ').toString('latin1')

/**
 * The notes of a file: one, several one after the other, or an anchor file, in which an empty line follows each. Whatever
 * has the form of no note is returned as it stands, so that whoever verifies it finds fault with it. Throws ERR_FILE when
 * the file cannot be read, or is no text of this kind at all.
 */
export async function* readNoteFile(file: string): AsyncGenerator<FiledNote, void, void> {
  let lines: string[] = []
  let bytes = 0
  let begins = 1
  let number = 0
  let part: 'text' | 'signatures' = 'text'
  let found = 0
  const take = (): FiledNote => {
    found += 1
    const note = { note: decode(file, begins, lines), file, line: begins }
    lines = []
    bytes = 0
    part = 'text'
    return note
  }
  for await (const line of readLines(file)) {
    number += 1
    if (line === CUT_OFF) {
      lines = []
      bytes = 0
      part = 'text'
      continue
    }
    if (part === 'signatures' && !line.startsWith(SIGNATURE) && lines.at(-1) !== '') yield take()
    if (lines.length === 0) {
      if (line === '') continue
      begins = number
    }
    if (line === '') part = 'signatures'
    lines.push(line)
    bytes += line.length + 1
    if (bytes > RECORD_BYTES) throw unusable(file, `line ${begins} begins no signed note`)
  }
  // What a crash has left of the last one is none.
  if (lines.at(-1)?.startsWith(SIGNATURE) === true) yield take()
  else if (found === 0) throw unusable(file, 'it holds no signed note')
}

function decode(file: string, line: number, lines: readonly string[]): string {
  const bytes = Buffer.from(`${lines.join('\n')}\n`, 'latin1')
  if (!isUtf8(bytes)) throw unusable(file, `line ${line}: not UTF-8`)
  return bytes.toString()
}

/** One character for each byte, so that a character is never cut. A line that does not end was not written to its end. */
async function* readLines(file: string): AsyncGenerator<string, void, void> {
  let left = ''
  try {
    for await (const chunk of createReadStream(file, { encoding: 'latin1' }) as AsyncIterable<string>) {
      const lines = (left + chunk).split('\n')
      left = lines.pop() ?? ''
      if (left.length > RECORD_BYTES) throw unusable(file, 'a line that is too long')
      yield* lines
    }
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException
    if (syscall === undefined) throw error
    throw unusable(file, `it cannot be read (${code})`)
  }
}

function unusable(file: string, why: string): GatebookError {
  return new GatebookError('ERR_FILE', { detail: `${file}: ${why}.` })
}
