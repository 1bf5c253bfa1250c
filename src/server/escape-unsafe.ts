/**
 * What a terminal obeys instead of showing, and what makes text look like other text: C0 and C1 controls, DEL, soft
 * hyphen, zero-width and directional characters, line separators, BOM, annotation and tag characters, broken surrogates.
 */
const UNSAFE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|\p{Surrogate}/gu

/** Text that every terminal only shows: each unsafe character as its escape, e.g. `\u001b`. */
export function escapeUnsafe(text: string): string {
  return text.replace(UNSAFE, escapeUnits)
}

/** JSON on one line that may also be looked at in a terminal. `JSON.stringify` alone lets C1 and directional characters pass. */
export function formatSafeJson(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, escapeUnits)
}

function escapeUnits(character: string): string {
  return Array.from({ length: character.length }, (_, at) => {
    return `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`
  }).join('')
}
