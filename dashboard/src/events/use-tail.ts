import { useEffect, useRef, useState } from 'preact/hooks'
import { type Api, formatSearch } from '../api/api.ts'
import { isAbsent, toApiError } from '../api/api-error.ts'
import type { EventItem } from '../api/wire.ts'
import { readEventStream } from './event-stream.ts'
import { queryParameters } from './use-events.ts'

/** `absent`: this server has no stream. `refused`: it will not go on, so nobody tries again. */
export type TailState = 'off' | 'connecting' | 'following' | 'reconnecting' | 'refused' | 'absent'

export interface Tail {
  readonly state: TailState
  /** Something was left out since the stream was begun. */
  readonly overflown: boolean
}

interface Listener {
  /** Connected for the first time: what is listed may be older than the stream. */
  onReady(): void
  onEvents(events: readonly EventItem[]): void
}

const AGAIN_LEAST = 1000
const AGAIN_MOST = 30_000
/** Events are handed on in one piece that come within so many milliseconds. */
const GATHERED = 150

const FINAL: ReadonlySet<string> = new Set(['ERR_FORBIDDEN', 'ERR_QUERY_INVALID', 'ERR_SIGNED_OUT'])

/** Follows the log, and goes on where it was after a broken connection. */
export function useTail(api: Api, prefix: string, q: string | null, on: boolean, listener: Listener): Tail {
  const [tail, setTail] = useState<Tail>({ state: 'off', overflown: false })
  const current = useRef(listener)
  current.current = listener
  useEffect(() => {
    if (!on || q === null) return setTail({ state: 'off', overflown: false })
    const abort = new AbortController()
    let cursor: string | undefined
    let wait = AGAIN_LEAST
    let gathered: EventItem[] = []
    let timer: ReturnType<typeof setTimeout> | undefined
    const become = (state: TailState): void => {
      if (!abort.signal.aborted) setTail(({ overflown }) => ({ state, overflown }))
    }
    const flush = (): void => {
      timer = undefined
      const events = gathered
      gathered = []
      if (!abort.signal.aborted && events.length > 0) current.current.onEvents(events)
    }

    /** Whether to try again. */
    async function follow(query: string): Promise<boolean> {
      const path = `${prefix}/api/events/stream${formatSearch({ ...queryParameters(query), cursor })}`
      const response = await api.open(path, { headers: { Accept: 'text/event-stream' }, signal: abort.signal })
      if (response.body === null) return false
      for await (const { event, id, data } of readEventStream(response.body)) {
        const isFirst = cursor === undefined
        if (id !== null) cursor = id
        if (event === 'ready') {
          wait = AGAIN_LEAST
          become('following')
          if (isFirst && !abort.signal.aborted) current.current.onReady()
        } else if (event === 'event') {
          gathered.push(JSON.parse(data) as EventItem)
          timer ??= setTimeout(flush, GATHERED)
        } else if (event === 'overflow') {
          setTail(({ state }) => ({ state, overflown: true }))
        } else if (event === 'end') {
          const { code } = JSON.parse(data) as { code?: string }
          return code === undefined || !FINAL.has(code)
        }
      }
      return true
    }

    async function run(query: string): Promise<void> {
      become('connecting')
      while (!abort.signal.aborted) {
        const again = await follow(query).catch((thrown: unknown) => {
          const error = toApiError(thrown)
          if (isAbsent(error) || error.code === 'ERR_EVENT_NOT_FOUND') {
            become('absent')
            return null
          }
          // A place that the server does not know any more: from now on, and with what was missed read anew.
          if (error.code === 'ERR_CURSOR_INVALID') cursor = undefined
          if (error.retryAfterSeconds !== null) wait = Math.max(wait, error.retryAfterSeconds * 1000)
          return !FINAL.has(error.code) && error.status !== 401
        })
        if (again === null) return
        if (!again) return become('refused')
        if (abort.signal.aborted) return
        become('reconnecting')
        await new Promise((resolve) => setTimeout(resolve, wait))
        wait = Math.min(AGAIN_MOST, wait * 2)
      }
    }
    void run(q)
    return () => {
      abort.abort()
      clearTimeout(timer)
    }
  }, [api, prefix, q, on])
  return tail
}
