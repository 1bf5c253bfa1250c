/** One event of a stream (WHATWG HTML §9.2.6). */
export interface StreamEvent {
  readonly event: string
  readonly id: string | null
  readonly data: string
}

/** Reads the bytes of a stream; ends where they end. `EventSource` cannot send a token, so this is done here. */
export async function* readEventStream(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamEvent, void, void> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      rest += decoder.decode(value, { stream: !done })
      for (let end = rest.indexOf('\n\n'); end !== -1; end = rest.indexOf('\n\n')) {
        const event = parseBlock(rest.slice(0, end))
        rest = rest.slice(end + 2)
        if (event !== null) yield event
      }
      if (done) return
    }
  } finally {
    reader.cancel().catch(() => undefined)
  }
}

function parseBlock(block: string): StreamEvent | null {
  let [event, id, data] = ['message', null as string | null, '']
  for (const line of block.split('\n')) {
    const [, name, value = ''] = /^(\w+): ?(.*)$/.exec(line) ?? []
    if (name === 'event') event = value
    else if (name === 'id') id = value
    else if (name === 'data') data += value
  }
  return data === '' ? null : { event, id, data }
}
