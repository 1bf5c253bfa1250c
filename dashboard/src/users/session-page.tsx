import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { SessionDetail } from '../api/wire.ts'
import { useDesk } from '../context.tsx'
import { useReason } from '../events/event-words.tsx'
import { Timeline } from '../events/timeline.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { Copy } from '../parts/copy.tsx'
import { Fields } from '../parts/fields.tsx'
import { Foreign } from '../parts/foreign.tsx'
import { Showing } from '../parts/panel.tsx'
import { Time } from '../parts/time.tsx'
import { useLoad } from '../parts/use-load.ts'
import { Link } from '../router/link.tsx'
import type { Place } from '../router/location.ts'
import { UserName } from './user-name.tsx'

export function SessionPage({ id, place }: { readonly id: string; readonly place: Place }): JSX.Element {
  const { text } = useLanguage()
  const { api } = useDesk()
  const [changes, setChanges] = useState(0)
  const session = useLoad(`${id} ${changes}`, (signal) =>
    api.get<SessionDetail>(`/sessions/${encodeURIComponent(id)}`, {}, signal),
  )
  return (
    <div class="stack">
      <nav class="crumbs">
        <Link parts={['users']}>{text.app.users}</Link>
      </nav>
      <Showing loaded={session}>
        {(found) => <SessionHead session={found} onChanged={() => setChanges((before) => before + 1)} />}
      </Showing>
      <Timeline
        operator="session"
        value={id}
        changes={changes}
        place={place}
        title={text.session.lineage}
        about={text.session.lineageAbout}
        oldestFirst
      />
    </div>
  )
}

function SessionHead({
  session,
  onChanged,
}: {
  readonly session: SessionDetail
  readonly onChanged: () => void
}): JSX.Element {
  const { text } = useLanguage()
  const { api, admin } = useDesk()
  const [asking, setAsking] = useState(false)
  const reason = useReason(session.end_reason)
  const isOver = session.ended_at !== null
  const by = session.end_event?.actor
  return (
    <section class="panel">
      <div class="page-head">
        <h1>
          {text.session.title}{' '}
          <span class={isOver ? 'badge' : 'badge outcome-success'}>
            {isOver ? text.session.over : text.session.live}
          </span>
        </h1>
        {!isOver && (
          <button type="button" class="button danger-quiet" onClick={() => setAsking(true)}>
            {text.session.end}
          </button>
        )}
      </div>
      {session.id === admin.sessionId && <p class="quiet">{text.session.current}</p>}
      <Fields
        items={[
          {
            name: text.session.user,
            value: <UserName id={session.user_id} />,
          },
          { name: text.session.started, value: <Time at={session.created_at} /> },
          { name: text.session.lastUsed, value: <Time at={session.last_used_at} /> },
          isOver
            ? { name: text.session.ended, value: <Time at={session.ended_at!} /> }
            : { name: text.session.expires, value: <Time at={session.expires_at} /> },
          reason === null ? null : { name: text.session.reason, value: reason },
          by === undefined
            ? null
            : {
                name: text.session.endedBy,
                value: (
                  <>
                    {text.actors[by.kind as keyof typeof text.actors] ?? by.kind}{' '}
                    {by.id !== null && <Foreign text={by.id} mono />}
                  </>
                ),
              },
          session.ip === null
            ? null
            : {
                name: text.event.ip,
                value: (
                  <Link parts={['addresses', session.ip]} class="mono">
                    {session.ip}
                  </Link>
                ),
              },
          session.user_agent === null
            ? null
            : { name: text.event.userAgent, value: <Foreign text={session.user_agent} /> },
          session.device_id === null
            ? null
            : { name: text.event.device, value: <span class="mono">{session.device_id}</span> },
          session.client_id === null
            ? null
            : { name: text.session.application, value: <span class="mono">{session.client_id}</span> },
          session.parent_id === null
            ? null
            : {
                name: text.session.parent,
                value: (
                  <Link parts={['sessions', session.parent_id]} class="mono">
                    {session.parent_id}
                  </Link>
                ),
              },
          { name: text.event.method, value: <Foreign text={session.method} /> },
          {
            name: text.session.id,
            value: (
              <span class="with-copy">
                <span class="mono">{session.id}</span>
                <Copy value={session.id} what={text.session.id} />
              </span>
            ),
          },
        ]}
      />
      {asking && (
        <Confirm
          title={text.session.endAsk}
          about={text.session.endAbout}
          action={text.session.end}
          danger
          work={async () => {
            await api.send('DELETE', `/sessions/${encodeURIComponent(session.id)}`)
          }}
          onDone={() => {
            setAsking(false)
            onChanged()
          }}
          onClose={() => setAsking(false)}
        />
      )}
    </section>
  )
}
