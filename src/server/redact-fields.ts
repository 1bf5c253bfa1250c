import { isGatebookError } from '../errors.ts'

/** Whatever has one of these in its name is not written down, at any depth. */
const SECRET_NAME = /authorization|cookie|passw|secret|token|api[-_]?key|^dpop$/i
/** Named after a secret, but a name or a number themselves. */
const HARMLESS_NAME = /^(token[-_]?type|token[-_]?id|access[-_]?token[-_]?seconds)$/i

const DEPTH = 6
const TEXT = 2048

/**
 * Fields as they may stand in a diagnostics line: secrets replaced, errors turned into plain members. Errors are not
 * copied whole, since those of database drivers carry the statement with its values.
 */
export function redactFields(fields: object): Record<string, unknown> {
  return redactMembers(fields, DEPTH)
}

function redactMembers(object: object, depth: number): Record<string, unknown> {
  const redacted: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(object)) {
    const secret = SECRET_NAME.test(name) && !HARMLESS_NAME.test(name) && value !== null && value !== undefined
    redacted[name] = secret ? '[redacted]' : redactValue(value, depth)
  }
  return redacted
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return value.length > TEXT ? `${value.slice(0, TEXT)}…` : value
  if (typeof value === 'bigint') return value.toString()
  if (value === null || typeof value !== 'object') return typeof value === 'function' ? undefined : value
  if (depth === 0) return '[deeper]'
  if (value instanceof Error) return describeError(value, depth)
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (value instanceof Date) return value
  if (Array.isArray(value)) return value.slice(0, 100).map((item) => redactValue(item, depth - 1))
  return redactMembers(value, depth - 1)
}

/** Mistakes in code and failures of the system say what is wrong; a driver's or a parser's message may quote a value. */
const PLAIN_ERRORS: ReadonlySet<string> = new Set(['TypeError', 'RangeError', 'ReferenceError', 'AssertionError'])

function describeError(error: Error, depth: number): Record<string, unknown> {
  const { code, syscall } = error as { code?: unknown; syscall?: unknown }
  const plain = isGatebookError(error) || PLAIN_ERRORS.has(error.name) || typeof syscall === 'string'
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  return {
    type: error.name,
    ...(plain ? { message: error.message } : {}),
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(isGatebookError(error) && error.detail !== undefined ? { detail: error.detail } : {}),
    stack: frames.slice(0, 20).map((frame) => frame.trim()),
    ...(error.cause === undefined ? {} : { cause: redactValue(error.cause, depth - 1) }),
  }
}
