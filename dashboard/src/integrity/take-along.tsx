import type { JSX } from 'preact'
import { useDesk } from '../context.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { download } from '../parts/download.ts'
import { Icon } from '../parts/icon.tsx'
import { Panel } from '../parts/panel.tsx'
import { Problem } from '../parts/problem.tsx'
import { useAction } from '../parts/use-load.ts'
import { Link } from '../router/link.tsx'

/** The whole log as an archive, and how to verify it where this server is not. */
export function TakeAlong({ size }: { readonly size: number | null }): JSX.Element {
  const { text } = useLanguage()
  const { api, surroundings } = useDesk()
  const { busy, error, run } = useAction()
  const take = (): Promise<boolean> =>
    run(async () => {
      const response = await api.open(`${surroundings.admin}/api/integrity/export`)
      download(`gatebook-log-${size ?? 0}.tar`, 'application/x-tar', [await response.blob()])
    })
  return (
    <Panel
      title={text.integrity.exportTitle}
      about={text.integrity.exportAbout}
      actions={
        <button type="button" class="button" disabled={busy || size === null} onClick={() => void take()}>
          <Icon name="download" />
          {busy ? text.integrity.taking : text.integrity.downloadLog}
        </button>
      }
    >
      {error !== null && <Problem error={error} />}
      <code class="command">tar -xf gatebook-log-{size ?? 0}.tar</code>
      <code class="command">gatebook log verify ./gatebook-log --key vkey</code>
      <p class="quiet">{text.integrity.exportByCommand}</p>
      <code class="command">gatebook log export --tiles ./log</code>
      <p class="quiet">
        {text.integrity.receiptAbout} <Link parts={['events']}>{text.app.events}</Link>
      </p>
    </Panel>
  )
}
