import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { type ApiError, toApiError } from '../api/api-error.ts'

export interface Loaded<T> {
  /** What was read last, also while it is read again. */
  readonly data: T | null
  readonly error: ApiError | null
  readonly loading: boolean
  reload(): void
}

/** Reads when it appears and whenever `key` is another one; what is out of date is broken off. Null reads nothing. */
export function useLoad<T>(key: string | null, read: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [state, setState] = useState<Omit<Loaded<T>, 'reload'>>({ data: null, error: null, loading: key !== null })
  const [turn, setTurn] = useState(0)
  const last = useRef(key)
  useEffect(() => {
    if (key === null) return setState({ data: null, error: null, loading: false })
    const abort = new AbortController()
    const kept = last.current === key
    last.current = key
    setState(({ data }) => ({ data: kept ? data : null, error: null, loading: true }))
    read(abort.signal).then(
      (data) => !abort.signal.aborted && setState({ data, error: null, loading: false }),
      (thrown) =>
        !abort.signal.aborted && setState(({ data }) => ({ data, error: toApiError(thrown), loading: false })),
    )
    return () => abort.abort()
  }, [key, turn])
  const reload = useCallback(() => setTurn((before) => before + 1), [])
  return { ...state, reload }
}

/** Something that is done when somebody asks for it, once at a time. */
export function useAction(): {
  readonly busy: boolean
  readonly error: ApiError | null
  run(work: () => Promise<void>): Promise<boolean>
  forget(): void
} {
  const [state, setState] = useState<{ busy: boolean; error: ApiError | null }>({ busy: false, error: null })
  const running = useRef(false)
  const run = useCallback(async (work: () => Promise<void>) => {
    if (running.current) return false
    running.current = true
    setState({ busy: true, error: null })
    try {
      await work()
      setState({ busy: false, error: null })
      return true
    } catch (thrown) {
      setState({ busy: false, error: toApiError(thrown) })
      return false
    } finally {
      running.current = false
    }
  }, [])
  return { ...state, run, forget: () => setState({ busy: false, error: null }) }
}
