import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Api } from '../api/api.ts'
import type { EventItem, Page } from '../api/wire.ts'
import { useLanguage } from '../i18n/language.tsx'
import { download } from '../parts/download.ts'
import { Icon } from '../parts/icon.tsx'
import { useProblemText } from '../parts/problem.tsx'
import { useAction } from '../parts/use-load.ts'
import { queryParameters } from './use-events.ts'

/** Everything that the query finds, newest first, as JSON lines. Each page that is read leaves its log.read. */
export function ExportButton({ api, q }: { readonly api: Api; readonly q: string | null }): JSX.Element {
  const { text, format } = useLanguage()
  const { busy, error, run } = useAction()
  const problem = useProblemText(error)
  const [count, setCount] = useState<number | null>(null)
  const stop = useRef<AbortController | null>(null)
  useEffect(() => {
    setCount(null)
    return () => stop.current?.abort()
  }, [q])

  async function write(query: string): Promise<void> {
    const abort = new AbortController()
    stop.current = abort
    const lines: string[] = []
    let cursor: string | null | undefined
    while (cursor !== null) {
      const asked = { ...queryParameters(query), limit: 500, cursor }
      const page: Page<EventItem> = await api.get<Page<EventItem>>('/events', asked, abort.signal)
      for (const item of page.items) lines.push(`${JSON.stringify(item)}\n`)
      cursor = page.next
      setCount(lines.length)
    }
    download('events.jsonl', 'application/jsonl', lines)
  }

  const said = busy
    ? text.events.exporting(format.number(count ?? 0))
    : problem || (count === null ? '' : text.events.exported(format.number(count)))
  return (
    <div class="row">
      <span class="small quiet" role="status">
        {said}
      </span>
      {busy ? (
        <button type="button" class="button" onClick={() => stop.current?.abort()}>
          {text.actions.cancel}
        </button>
      ) : (
        <button
          type="button"
          class="button"
          disabled={q === null}
          onClick={() => q !== null && void run(() => write(q))}
        >
          <Icon name="download" />
          <span>{text.events.export}</span>
        </button>
      )}
    </div>
  )
}
