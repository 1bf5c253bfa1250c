import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { formatStreamEvent, toByteStream } from '../../src/http/event-stream.ts'

async function* count(to: number): AsyncGenerator<string, void, void> {
  for (let number = 1; number <= to; number++) yield String(number)
}

const text = (chunk: { value?: Uint8Array | undefined }) => new TextDecoder().decode(chunk.value)

describe('the bytes of an event stream', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('are made when they are taken, and end with the texts', async () => {
    const stop = new AbortController()
    const texts = count(2)
    const next = vi.spyOn(texts, 'next')
    const reader = toByteStream(texts, stop).getReader()
    expect(next).toHaveBeenCalledTimes(0)
    expect(text(await reader.read())).toBe('1')
    expect(next).toHaveBeenCalledTimes(1)
    expect(text(await reader.read())).toBe('2')
    expect(stop.signal.aborted).toBe(false)
    expect((await reader.read()).done).toBe(true)
    expect(stop.signal.aborted).toBe(true)
    await vi.advanceTimersByTimeAsync(120_000)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('stop when nobody wants them', async () => {
    const stop = new AbortController()
    const reader = toByteStream(count(9), stop).getReader()
    await reader.read()
    await reader.cancel()
    expect(stop.signal.aborted).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('are cut off for whoever takes none for a minute', async () => {
    const stop = new AbortController()
    const reader = toByteStream(count(9), stop).getReader()
    await reader.read()
    await vi.advanceTimersByTimeAsync(59_000)
    await reader.read()
    await vi.advanceTimersByTimeAsync(59_000)
    expect(stop.signal.aborted).toBe(false)
    await vi.advanceTimersByTimeAsync(1000)
    expect(stop.signal.aborted).toBe(true)
    await expect(reader.read()).rejects.toThrow('stopped reading')
  })

  test('have an event on one line, whatever is in it', () => {
    expect(formatStreamEvent('event', 'abc', { a: 'one\ntwo\r\u2028' })).toBe(
      'id: abc\nevent: event\ndata: {"a":"one\\ntwo\\r\u2028"}\n\n',
    )
    expect(formatStreamEvent('end', null, {})).toBe('event: end\ndata: {}\n\n')
  })
})
