/** All bytes of an answer. Throws when there are more than `most`, however many the other side would send. */
export async function readBody(response: Response, most: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of response.body ?? []) {
    size += part.length
    if (size > most) throw new Error(`the answer has more than ${most} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts)
}
