/** The longest that a stored text may be, in UTF-16 units; longer input is cut before it is stored, never refused here. */
export const CAPS = {
  identifier: 320,
  subject: 128,
  actor: 128,
  userAgent: 512,
  requestId: 128,
  traceId: 64,
  method: 32,
  dataText: 256,
  dataBytes: 4096,
} as const

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g
/** Whether a text has what `cleanText` would replace. */
export function isPrintable(text: string): boolean {
  return text.isWellFormed() && text.search(UNPRINTABLE) === -1
}

const LONE_SURROGATE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g

/**
 * Text that every engine stores and every terminal shows: control characters, directional overrides and broken
 * surrogates become U+FFFD, and what is longer than the cap is cut without splitting a character.
 */
export function cleanText(text: string, cap: number): string {
  const cut = text.length > cap ? text.slice(0, /[\uD800-\uDBFF]/.test(text[cap - 1] ?? '') ? cap - 1 : cap) : text
  return cut.replace(UNPRINTABLE, '\ufffd').replace(LONE_SURROGATE, '\ufffd')
}

const EMAIL = /^([^@\s]{1,64})@([^@\s.]{1,63})((?:\.[^@\s.]{1,63})*\.[^@\s.]{2,63})$/

/**
 * `anna@mail.example.org` as `a***@m***.org`: enough to recognise one's own address, not enough to read another's.
 * Undefined for anything that does not have the shape of an e-mail address, because that may be a password.
 */
export function maskEmail(typed: string): string | undefined {
  const match = EMAIL.exec(typed)
  if (match === null) return undefined
  const [local, host, rest] = [match[1]!, match[2]!, match[3]!]
  return `${[...local][0]}***@${[...host][0]}***${rest.slice(rest.lastIndexOf('.'))}`
}
