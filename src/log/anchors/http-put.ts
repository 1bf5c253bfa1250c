import { GatebookError } from '../../errors.ts'
import { type Checkpoint, parseCheckpoint } from '../../proof/checkpoint.ts'
import { parseNote } from '../../proof/note.ts'
import { equalBytes } from '../../util/bytes.ts'
import { type Anchor, AnchorError, AnchorForkError, fillPlaces } from '../anchor.ts'
import { exchange, type HttpTarget, refusal } from './request.ts'

export interface HttpPutAnchorOptions extends HttpTarget {
  readonly name: string
}

const DONE: ReadonlySet<number> = new Set([200, 201, 202, 204])
const EXISTS = 412

/**
 * PUTs each note to a URL of its own, which `{size}` in it makes, and `{origin}` where several logs share a place. With
 * `If-None-Match: *` (RFC 9110 §13.1.2), so that a server that knows it replaces nothing. When there is something already, it is
 * read: the same checkpoint is done, whoever has signed it besides.
 * Throws ERR_OPTION_INVALID for a URL without `{size}` or with a password, which belongs to the headers.
 */
export function createHttpPutAnchor(options: HttpPutAnchorOptions): Anchor {
  const address = URL.canParse(options.url) ? new URL(options.url) : null
  if (!/^https?:$/.test(address?.protocol ?? '') || !options.url.includes('{size}')) {
    throw new GatebookError('ERR_OPTION_INVALID', {
      detail: 'anchors: an HTTP PUT needs an https URL with {size} in it.',
    })
  }
  if (address?.username !== '' || address.password !== '') {
    throw new GatebookError('ERR_OPTION_INVALID', {
      detail: 'anchors: the URL of an HTTP PUT must not have a password.',
    })
  }
  return {
    name: options.name,
    async put({ note, checkpoint }, signal) {
      const url = fillPlaces(options.url, checkpoint, encodeURIComponent)
      const headers = { 'Content-Type': 'text/plain; charset=utf-8', 'If-None-Match': '*' }
      const answer = await exchange(options, { method: 'PUT', url, headers, body: note }, signal)
      if (DONE.has(answer.status)) return {}
      if (answer.status !== EXISTS) throw refusal(url, answer)
      const kept = await exchange(options, { method: 'GET', url }, signal)
      if (kept.status !== 200) throw refusal(url, kept, 'but has something there already')
      requireSame(checkpoint, kept.body)
      return {}
    },
  }
}

function requireSame(ours: Checkpoint, body: string): void {
  const kept = readCheckpoint(body)
  if (kept?.origin !== ours.origin || kept.size !== ours.size) {
    throw new AnchorError(`What is kept for size ${ours.size} is not a checkpoint of that size.`)
  }
  if (!equalBytes(kept.rootHash, ours.rootHash)) {
    throw new AnchorForkError(`Another checkpoint of size ${ours.size} is kept.`)
  }
}

function readCheckpoint(note: string): Checkpoint | null {
  try {
    return parseCheckpoint(parseNote(note).text)
  } catch {
    return null
  }
}
