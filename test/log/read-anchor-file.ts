import { isUtf8 } from 'node:buffer'
import { createReadStream } from 'node:fs'
import { CUT_OFF, RECORD_BYTES } from '../../src/log/anchor-file.ts'
import { type Checkpoint, parseCheckpoint } from '../../src/proof/checkpoint.ts'
import { parseNote } from '../../src/proof/note.ts'
import { ProofError } from '../../src/proof/proof-error.ts'

/** A note of an anchor file. Its signatures are not verified. */
export interface AnchoredNote {
  readonly note: string
  readonly checkpoint: Checkpoint
  /** Where it begins, counted from 1. */
  readonly line: number
}

/**
 * The notes of an anchor file, oldest first, in constant memory. Throws ERR_NOTE_MALFORMED or ERR_CHECKPOINT_MALFORMED with the
 * line for everything that `appendNote` does not write, and the error of the system when the file cannot be read. Only the
 * last note may be incomplete: it is left out.
 */
export async function* readAnchorFile(path: string): AsyncGenerator<AnchoredNote, void, void> {
  let record: string[] = []
  let begins = 1
  let hasText = false
  let number = 0
  let bytes = 0
  for await (const line of readLines(path)) {
    number += 1
    bytes = record.length === 0 ? line.length : bytes + line.length
    if (bytes > RECORD_BYTES) throw malformed(path, begins, 'a note that is too long')
    if (line === CUT_OFF && record.length > 0) {
      record = [CUT_OFF]
      continue
    }
    if (record.length === 0) begins = number
    if (line !== '') {
      if (record[0] === CUT_OFF) throw malformed(path, number, 'text behind a note that was cut off')
      record.push(line)
      continue
    }
    if (record[0] === CUT_OFF) {
      record = []
      hasText = false
    } else if (!hasText) {
      if (record.length === 0) throw malformed(path, number, 'an empty line too many')
      record.push('')
      hasText = true
    } else {
      yield readRecord(path, begins, record)
      record = []
      hasText = false
    }
  }
}

/**
 * Lines that end with a line feed; what stands behind the last one is left out. One character for each byte, since a crash does
 * not spare characters.
 */
async function* readLines(path: string): AsyncGenerator<string, void, void> {
  let left = ''
  for await (const chunk of createReadStream(path, { encoding: 'latin1' }) as AsyncIterable<string>) {
    const lines = (left + chunk).split('\n')
    left = lines.pop() ?? ''
    if (left.length > RECORD_BYTES) throw malformed(path, null, 'a line that is too long')
    yield* lines
  }
}

function readRecord(path: string, line: number, lines: readonly string[]): AnchoredNote {
  const bytes = Buffer.from(`${lines.join('\n')}\n`, 'latin1')
  if (!isUtf8(bytes)) throw malformed(path, line, 'not UTF-8')
  const note = bytes.toString()
  try {
    return { note, checkpoint: parseCheckpoint(parseNote(note).text), line }
  } catch (error) {
    if (!(error instanceof ProofError)) throw error
    throw new ProofError(error.code, `${path}:${line}: ${error.detail}`)
  }
}

function malformed(path: string, line: number | null, detail: string): ProofError {
  return new ProofError('ERR_NOTE_MALFORMED', `${path}${line === null ? '' : `:${line}`}: ${detail}`)
}
