import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import type { Api, Parameters } from '../api/api.ts'
import { type ApiError, toApiError } from '../api/api-error.ts'
import type { EventItem, Page } from '../api/wire.ts'

export interface EventList {
  /** Newest first. */
  readonly items: readonly EventItem[]
  readonly more: boolean
  readonly loading: boolean
  readonly error: ApiError | null
  /** The next page; nothing where there is none, or one is being read. */
  loadMore(): void
  reload(): void
  /** Puts what has just happened in front of the others. */
  add(events: readonly EventItem[]): void
}

const PAGE_SIZE = 100
/** Whoever follows a log for days keeps so many; what is older is there again when the list is read anew. */
const FOLLOWED_MOST = 10_000

/** Of a query as the API takes it; times without an offset are meant in the zone of this browser. */
export function queryParameters(q: string): Parameters {
  return q.trim() === '' ? {} : { q, time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone }
}

interface State {
  readonly items: readonly EventItem[]
  readonly next: string | null
  /** Whether the oldest ones were let go. */
  readonly cut: boolean
  readonly loading: boolean
  readonly error: ApiError | null
}

const NOTHING: State = { items: [], next: null, cut: false, loading: true, error: null }

/** The events of a query, page by page. Null for a query that cannot be asked. */
export function useEvents(api: Api, q: string | null): EventList {
  const [state, setState] = useState<State>(NOTHING)
  const [turn, setTurn] = useState(0)
  const busy = useRef<AbortController | null>(null)

  const read = useCallback(
    (cursor: string | null, query: string) => {
      busy.current?.abort()
      const abort = new AbortController()
      busy.current = abort
      setState((before) => ({ ...before, loading: true, error: null }))
      const asked = { ...queryParameters(query), limit: PAGE_SIZE, cursor: cursor ?? undefined }
      api.get<Page<EventItem>>('/events', asked, abort.signal).then(
        ({ items, next }) => {
          if (abort.signal.aborted) return
          busy.current = null
          setState((before) => ({
            items: cursor === null ? items : [...before.items, ...items],
            next,
            cut: false,
            loading: false,
            error: null,
          }))
        },
        (thrown) => {
          if (abort.signal.aborted) return
          busy.current = null
          setState((before) => ({ ...before, loading: false, error: toApiError(thrown) }))
        },
      )
    },
    [api],
  )

  useEffect(() => {
    if (q === null) return setState({ ...NOTHING, loading: false })
    setState((before) => ({ ...NOTHING, items: turn === 0 ? [] : before.items }))
    read(null, q)
    return () => busy.current?.abort()
  }, [q, turn, read])

  return {
    items: state.items,
    more: state.next !== null || state.cut,
    loading: state.loading,
    error: state.error,
    loadMore: useCallback(() => {
      if (busy.current === null && state.next !== null && q !== null) read(state.next, q)
    }, [state.next, q, read]),
    reload: useCallback(() => setTurn((before) => before + 1), []),
    add: useCallback((events) => {
      setState((before) => {
        const known = new Set(before.items.slice(0, 1000).map(({ id }) => id))
        const fresh = events.filter(({ id }) => !known.has(id))
        if (fresh.length === 0) return before
        const items = [...fresh.reverse(), ...before.items]
        if (items.length <= FOLLOWED_MOST) return { ...before, items }
        return { ...before, items: items.slice(0, FOLLOWED_MOST), next: null, cut: true }
      })
    }, []),
  }
}
