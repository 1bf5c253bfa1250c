/** Text of an event stream (WHATWG HTML §9.2.6). JSON has no line breaks, so `data` is one line. */
export function formatStreamEvent(event: string, id: string | null, data: unknown): string {
  return `${id === null ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}

/** A line that is no event, for what is between here and there and ends connections on which nothing happens. */
export const KEEP_ALIVE = ': keep-alive\n\n'

/** A client that takes nothing for so long holds a place that another one could have. */
const STALL_MILLISECONDS = 60_000

/**
 * Bytes of these texts, each of which is made when the one before has been taken. `stop` is aborted when nobody reads on, or
 * there is nothing more; then `texts` has to come to its end.
 */
export function toByteStream(texts: AsyncIterator<string>, stop: AbortController): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let stalled: NodeJS.Timeout | undefined
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        clearTimeout(stalled)
        const { done, value } = await texts.next()
        if (done) stop.abort()
        if (stop.signal.aborted) return closeQuietly(controller)
        controller.enqueue(encoder.encode(value))
        stalled = setTimeout(() => {
          stop.abort()
          controller.error(new Error('the client has stopped reading'))
        }, STALL_MILLISECONDS)
        stalled.unref()
        return undefined
      },
      cancel() {
        clearTimeout(stalled)
        stop.abort()
      },
    },
    { highWaterMark: 0 },
  )
}

function closeQuietly(controller: ReadableStreamDefaultController<Uint8Array>): void {
  try {
    controller.close()
  } catch {
    // Cancelled, and so closed.
  }
}
