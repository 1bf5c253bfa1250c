import { GatebookError } from '../errors.ts'
import { decodeBase64url, encodeBase64url } from '../util/base64url.ts'
import { decodeUtf8, encodeUtf8 } from '../util/bytes.ts'

const LIMIT_DEFAULT = 50
const LIMIT_MAX = 500
const CURSOR_MAX = 256

/** A cursor is opaque to clients: what it holds may change. */
export function encodeCursor(position: string): string {
  return encodeBase64url(encodeUtf8(position))
}

/** Throws ERR_CURSOR_INVALID. */
export function parseCursor(cursor: string): string {
  const bytes = cursor.length === 0 || cursor.length > CURSOR_MAX ? null : decodeBase64url(cursor)
  if (bytes === null) throw new GatebookError('ERR_CURSOR_INVALID')
  try {
    return decodeUtf8(bytes)
  } catch (cause) {
    throw new GatebookError('ERR_CURSOR_INVALID', { cause })
  }
}

/** Throws ERR_QUERY_INVALID for anything but 1 to 500. */
export function parseLimit(limit: number = LIMIT_DEFAULT): number {
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > LIMIT_MAX) {
    throw new GatebookError('ERR_QUERY_INVALID', { members: { members: ['limit'], expected: `1 to ${LIMIT_MAX}` } })
  }
  return limit
}
