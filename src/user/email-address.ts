/**
 * Whether mail can be sent to exactly this and to nobody else. Far fewer than RFC 5321 allows: no quotes, comments, lists
 * or routes, because programs on the way disagree about what those mean, and one of them would send the token elsewhere.
 */
export function isEmailAddress(text: string): boolean {
  const match = /^([^@]{1,64})@([^@]{1,255})$/.exec(text)
  return match !== null && [match[1]!, match[2]!].every(isDotted)
}

const FORBIDDEN = /[\s@,;:<>()[\]"'`\\%!|\p{Cc}\p{Cf}]/u

/** Words that are joined by single dots. */
function isDotted(text: string): boolean {
  return !FORBIDDEN.test(text) && text.split('.').every((word) => word !== '')
}
