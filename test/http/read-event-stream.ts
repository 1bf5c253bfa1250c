export interface StreamMessage {
  readonly id: string | null
  readonly event: string
  // biome-ignore lint/suspicious/noExplicitAny: a test says by its expectations what it takes the data for
  readonly data: any
}

export interface EventStream {
  readonly response: Response
  /** Null when the stream has ended. */
  next(): Promise<StreamMessage | null>
  /** All to the end. */
  rest(): Promise<StreamMessage[]>
  /** The bytes that come next, as text; empty at the end. */
  raw(): Promise<string>
  cancel(): Promise<void>
}

/** As WHATWG HTML §9.2.6 reads it, as far as we write it: one `data` line, and never anything that we do not know. */
export function readEventStream(response: Response): EventStream {
  const reader = response.body!.getReader()
  const decoder = new TextDecoder()
  let text = ''

  async function raw(): Promise<string> {
    const { done, value } = await reader.read()
    return done ? '' : decoder.decode(value, { stream: true })
  }

  async function next(): Promise<StreamMessage | null> {
    for (;;) {
      const end = text.indexOf('\n\n')
      if (end >= 0) {
        const block = text.slice(0, end)
        text = text.slice(end + 2)
        if (/^:[^\n]*$/.test(block)) continue
        const [, id = null, event, data] = /^(?:id: (\S+)\n)?event: ([a-z]+)\ndata: ([^\n]+)$/.exec(block) ?? []
        if (event === undefined || data === undefined) throw new Error(`not a message: ${JSON.stringify(block)}`)
        return { id, event, data: JSON.parse(data) }
      }
      const more = await raw()
      if (more === '' && text !== '') throw new Error(`ended within a message: ${JSON.stringify(text)}`)
      if (more === '') return null
      text += more
    }
  }

  return {
    response,
    next,
    raw,
    async rest() {
      const messages: StreamMessage[] = []
      for (let message = await next(); message !== null; message = await next()) messages.push(message)
      return messages
    },
    cancel: () => reader.cancel(),
  }
}
