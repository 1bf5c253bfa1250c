import { GatebookError } from '../errors.ts'
import { decodeUtf8 } from '../util/bytes.ts'
import { parseStrictJson } from '../util/strict-json.ts'
import type { HeaderReader, HttpRequest } from './exchange.ts'

/**
 * The JSON object in the body of a request; undefined when there is no body. At most `limit` bytes are read, whatever the
 * headers say. Throws ERR_MEDIA_TYPE, ERR_BODY_TOO_LARGE, ERR_BODY_MALFORMED, or ERR_BODY_INVALID for JSON that is no object.
 */
export async function readJsonBody(request: HttpRequest, limit: number): Promise<Record<string, unknown> | undefined> {
  checkLength(request.headers, limit)
  if (request.headers.has('content-type')) checkMediaType(request.headers, JSON_TYPE)
  const bytes = await readBytes(request, limit)
  if (bytes.length === 0) return undefined
  checkMediaType(request.headers, JSON_TYPE)
  let value: unknown
  try {
    value = parseStrictJson(decodeUtf8(bytes))
  } catch {
    // The error of the parser quotes what it read: a password, for all we know.
    throw new GatebookError('ERR_BODY_MALFORMED')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new GatebookError('ERR_BODY_INVALID')
  return value as Record<string, unknown>
}

/**
 * The members of a form (RFC 6749 appendix B), each of them once (§3.1). At most `limit` bytes are read. Throws ERR_MEDIA_TYPE,
 * ERR_BODY_TOO_LARGE, ERR_BODY_MALFORMED, ERR_BODY_INVALID.
 */
export async function readFormBody(request: HttpRequest, limit: number): Promise<Record<string, string>> {
  checkLength(request.headers, limit)
  checkMediaType(request.headers, FORM_TYPE)
  const bytes = await readBytes(request, limit)
  let text: string
  try {
    text = decodeUtf8(bytes)
  } catch {
    throw new GatebookError('ERR_BODY_MALFORMED')
  }
  const members: Record<string, string> = Object.create(null)
  for (const [name, value] of new URLSearchParams(text)) {
    if (name in members) throw new GatebookError('ERR_BODY_INVALID')
    members[name] = value
  }
  return members
}

const JSON_TYPE = 'application/json'
const FORM_TYPE = 'application/x-www-form-urlencoded'

function checkLength(headers: HeaderReader, limit: number): void {
  const declared = headers.get('content-length')
  if (declared !== null && Number(declared) > limit)
    throw new GatebookError('ERR_BODY_TOO_LARGE', { members: { limit } })
}

function checkMediaType(headers: HeaderReader, wanted: string): void {
  const [type = '', ...parameters] = (headers.get('content-type') ?? '').split(';')
  const right = type.trim().toLowerCase() === wanted
  const utf8 = parameters.every((parameter) => !/^\s*charset\s*=(?!\s*"?utf-8"?\s*$)/i.test(parameter))
  const plain = (headers.get('content-encoding') ?? 'identity').trim().toLowerCase() === 'identity'
  if (!right || !utf8 || !plain) throw new GatebookError('ERR_MEDIA_TYPE')
}

async function readBytes({ body }: HttpRequest, limit: number): Promise<Uint8Array> {
  if (body === null) return new Uint8Array(0)
  if (body instanceof Uint8Array) {
    if (body.length > limit) throw new GatebookError('ERR_BODY_TOO_LARGE', { members: { limit } })
    return body
  }
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    const reader = body.getReader()
    while (size <= limit) {
      const part = await reader.read()
      if (part.done) return Buffer.concat(chunks)
      chunks.push(part.value)
      size += part.value.length
    }
    await reader.cancel()
  } catch {
    // The client went away, or somebody has read the body before us.
    throw new GatebookError('ERR_BODY_MALFORMED')
  }
  throw new GatebookError('ERR_BODY_TOO_LARGE', { members: { limit } })
}
