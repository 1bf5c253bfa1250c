import { encodeUtf8 } from '../util/bytes.ts'

/** What a leaf may hold: a strict profile of RFC 8785 in which `JSON.stringify` of sorted members is the canonical form. */
export type CanonicalValue =
  | string
  | number
  | boolean
  | readonly CanonicalValue[]
  | { readonly [member: string]: CanonicalValue | undefined }

const MEMBER = /^[a-z0-9_.-]{1,64}$/

/**
 * Canonical bytes of a value: members sorted, no white space, UTF-8. Undefined members are left out.
 * Throws a TypeError on floats, on integers of 2^53 or more, on null, on lone surrogates and on member names outside
 * `[a-z0-9_.-]`, because other languages would write those differently.
 */
export function encodeCanonical(value: CanonicalValue): Uint8Array {
  return encodeUtf8(formatCanonical(value))
}

export function formatCanonical(value: CanonicalValue): string {
  switch (typeof value) {
    case 'string':
      if (!value.isWellFormed()) throw new TypeError('a canonical string has a lone surrogate')
      return JSON.stringify(value)
    case 'number':
      if (!Number.isSafeInteger(value)) throw new TypeError('a canonical number must be a safe integer')
      return Object.is(value, -0) ? '0' : String(value)
    case 'boolean':
      return value ? 'true' : 'false'
    default:
      return Array.isArray(value)
        ? formatArray(value)
        : formatObject(value as { readonly [member: string]: CanonicalValue })
  }
}

function formatArray(items: readonly CanonicalValue[]): string {
  // Not `map`, which leaves holes out and would write what no parser reads.
  return `[${Array.from(items, formatCanonical).join(',')}]`
}

function formatObject(object: { readonly [member: string]: CanonicalValue | undefined } | null): string {
  if (object === null || typeof object !== 'object')
    throw new TypeError('a canonical value must not be null or a function')
  const names = Object.keys(object)
  if (!isSorted(names)) names.sort()
  let text = ''
  for (const name of names) {
    const value = object[name]
    if (value === undefined) continue
    if (!isMember(name)) throw new TypeError('a canonical member name has other characters than [a-z0-9_.-]')
    text += `${text === '' ? '' : ','}"${name}":${formatCanonical(value)}`
  }
  return `{${text}}`
}

/** As what was parsed from a canonical form is: to look costs less than to sort, and an audit comes here for each leaf. */
function isSorted(names: readonly string[]): boolean {
  for (let at = 1; at < names.length; at++) if (names[at - 1]! > names[at]!) return false
  return true
}

const KEPT_MEMBERS = 256
const members = new Set<string>()

/** There are few names, and to look one up takes a fraction of what the expression does. */
function isMember(name: string): boolean {
  if (members.has(name)) return true
  if (!MEMBER.test(name)) return false
  if (members.size < KEPT_MEMBERS) members.add(name)
  return true
}
