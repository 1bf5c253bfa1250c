/**
 * `JSON.parse` that refuses an object with two members of one name (RFC 8259, section 4, leaves open which of them counts, so
 * two programs can read two different things). Throws SyntaxError, whose message tells nothing of the text.
 */
export function parseStrictJson(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new SyntaxError('not valid JSON')
  }
  // It is JSON, so all that is looked for is where names are.
  const open: (Set<string> | null)[] = []
  let expectsName = false
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (character === '"') {
      const end = endOfString(text, at)
      const names = open.at(-1)
      if (expectsName && names) {
        const name = JSON.parse(text.slice(at, end + 1)) as string
        if (names.has(name)) throw new SyntaxError('two members of one name')
        names.add(name)
        expectsName = false
      }
      at = end
    } else if (character === '{') {
      open.push(new Set())
      expectsName = true
    } else if (character === '[') {
      open.push(null)
      expectsName = false
    } else if (character === '}' || character === ']') {
      open.pop()
      expectsName = false
    } else if (character === ',') {
      expectsName = open.at(-1) !== null
    }
  }
  return value
}

/** Where the string that begins here ends. */
function endOfString(text: string, start: number): number {
  let at = start + 1
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at
}
