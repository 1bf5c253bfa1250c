/** Largest chunk; a power of two. */
const CHUNK_MAX = 256

/**
 * Splits a list into chunks whose lengths are powers of two. Servers keep each statement that they have prepared, and a
 * statement with a list has a text for each length of the list: so there are nine texts and not hundreds.
 */
export function chunks<T>(items: readonly T[]): readonly (readonly T[])[] {
  const parts: T[][] = []
  for (let at = 0, size = CHUNK_MAX; at < items.length; ) {
    while (size > items.length - at) size /= 2
    parts.push(items.slice(at, at + size))
    at += size
  }
  return parts
}

/**
 * The same for the list of an `in`, where an item that stands twice does no harm: the last chunk is filled up with its last item,
 * so that one statement does instead of several short ones.
 */
export function listChunks<T>(items: readonly T[]): readonly (readonly T[])[] {
  const parts: T[][] = []
  for (let at = 0; at < items.length; at += CHUNK_MAX) {
    const part = items.slice(at, at + CHUNK_MAX)
    let size = 1
    while (size < part.length) size *= 2
    while (part.length < size) part.push(part.at(-1)!)
    parts.push(part)
  }
  return parts
}
