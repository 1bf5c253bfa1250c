/**
 * JSON that has one form: what JSON.stringify writes of what JSON.parse reads. It leaves no room for a member that stands
 * twice (RFC 8725 §2.4) or for two spellings of one value. Throws for anything else.
 */
export function parseCanonicalJson(text: string): unknown {
  const value: unknown = JSON.parse(text)
  const members = countMembers(text)
  // Writing it again takes as long as reading it, and is needed only where there is something that has another spelling.
  if (members === null ? JSON.stringify(value) !== text : members !== countOwn(value)) {
    throw new SyntaxError('JSON in another form')
  }
  return value
}

const QUOTE = 0x22
const COLON = 0x3a
const BACKSLASH = 0x5c
const ZERO = 0x30
const NINE = 0x39
const SMALL_E = 0x65
/** Whole numbers of so many digits are read as they are written. */
const DIGITS_MOST = 15

/**
 * Members in a text that is JSON, each as often as it stands there; null where the text has more in it than names, plain
 * strings, short whole numbers and literals: escapes, white space, signs, fractions, exponents, names that are numbers.
 */
function countMembers(text: string): number | null {
  let members = 0
  let inString = false
  let opened = 0
  let digits = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === BACKSLASH) return null
    if (code === QUOTE) {
      inString = !inString
      if (inString) opened = at
    } else if (!inString) {
      if (isDigit(code)) {
        if (++digits > DIGITS_MOST) return null
        continue
      }
      if (code === COLON) {
        // JSON.stringify puts these in front of the others.
        if (isDigit(text.charCodeAt(opened + 1))) return null
        members += 1
      } else if (code <= 0x20 || code === 0x2b || code === 0x2d || code === 0x2e || code === 0x45) return null
      else if (code === SMALL_E && digits > 0) return null
      digits = 0
    }
  }
  return members
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE
}

/** The same in what was read of it, where of two of one name the last is left. */
function countOwn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let members = 0
  if (Array.isArray(value)) {
    for (const item of value) members += countOwn(item)
    return members
  }
  for (const name of Object.keys(value)) members += 1 + countOwn((value as Record<string, unknown>)[name])
  return members
}
