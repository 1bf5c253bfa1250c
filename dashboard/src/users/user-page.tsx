import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { UserItem } from '../api/wire.ts'
import { useDesk } from '../context.tsx'
import { Timeline } from '../events/timeline.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { Copy } from '../parts/copy.tsx'
import { Fields } from '../parts/fields.tsx'
import { Foreign } from '../parts/foreign.tsx'
import { Panel, Showing } from '../parts/panel.tsx'
import { Time } from '../parts/time.tsx'
import { useLoad } from '../parts/use-load.ts'
import { Link } from '../router/link.tsx'
import type { Place } from '../router/location.ts'
import { UserActions } from './user-actions.tsx'
import { UserSessions } from './user-sessions.tsx'
import { UserState } from './user-state.tsx'

export function UserPage({ id, place }: { readonly id: string; readonly place: Place }): JSX.Element {
  const { text } = useLanguage()
  const { api } = useDesk()
  const user = useLoad(id, (signal) => api.get<UserItem>(`/users/${encodeURIComponent(id)}`, {}, signal))
  /** Grows with what somebody has changed here, so that the other parts are read again. */
  const [changes, setChanges] = useState(0)
  const [said, setSaid] = useState('')
  function onChanged(message: string): void {
    setSaid(message)
    user.reload()
    setChanges((before) => before + 1)
  }
  return (
    <div class="stack">
      <nav class="crumbs">
        <Link parts={['users']}>{text.app.users}</Link>
      </nav>
      <p class={said === '' ? 'unseen' : 'notice'} role="status">
        {said}
      </p>
      <Showing loaded={user}>
        {(found) => (
          <>
            <UserHead user={found} onChanged={onChanged} />
            <UserSessions id={id} changes={changes} onChanged={onChanged} />
          </>
        )}
      </Showing>
      {/* Also of one who is gone: what happened stays. */}
      <Timeline operator="user" value={id} changes={changes} place={place} title={text.user.timeline} />
      {user.data !== null && user.data.identifier !== null && <Lookalikes id={id} />}
    </div>
  )
}

function UserHead({
  user,
  onChanged,
}: {
  readonly user: UserItem
  readonly onChanged: (message: string) => void
}): JSX.Element {
  const { text } = useLanguage()
  const { admin } = useDesk()
  return (
    <section class="panel">
      <div class="page-head">
        <h1 class="foreign-title">
          <Foreign text={user.identifier ?? user.id} most={120} />
        </h1>
        <UserActions user={user} onChanged={onChanged} />
      </div>
      {admin.userId === user.id && <p class="quiet">{text.user.self}</p>}
      <Fields
        items={[
          { name: text.user.state, value: <UserState user={user} /> },
          {
            name: text.user.roles,
            value:
              user.roles.length === 0 ? (
                <span class="quiet">{text.states.none}</span>
              ) : (
                user.roles.map((role) => (
                  <span key={role} class="badge">
                    {role}
                  </span>
                ))
              ),
          },
          { name: text.user.created, value: <Time at={user.created_at} /> },
          user.confirmed_at === null ? null : { name: text.user.confirmed, value: <Time at={user.confirmed_at} /> },
          {
            name: text.user.id,
            value: (
              <span class="with-copy">
                <Foreign text={user.id} most={200} mono />
                <Copy value={user.id} what={text.user.id} />
              </span>
            ),
          },
        ]}
      />
    </section>
  )
}

function Lookalikes({ id }: { readonly id: string }): JSX.Element | null {
  const { text } = useLanguage()
  const { api } = useDesk()
  const { data } = useLoad(id, (signal) =>
    api.get<{ items: readonly UserItem[] }>(`/users/${encodeURIComponent(id)}/lookalikes`, {}, signal),
  )
  if (data === null || data.items.length === 0) return null
  return (
    <Panel title={text.user.lookalikes} about={text.user.lookalikesAbout}>
      <ul class="plain-list">
        {data.items.map((user) => (
          <li key={user.id}>
            <Link parts={['users', user.id]}>
              <Foreign text={user.identifier ?? user.id} most={120} />
            </Link>
          </li>
        ))}
      </ul>
    </Panel>
  )
}
