import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { type ApiError, toApiError } from '../api/api-error.ts'
import type { Page, SessionItem } from '../api/wire.ts'
import { useDesk } from '../context.tsx'
import { useReason } from '../events/event-words.tsx'
import { eventsBy } from '../events/pivots.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { Foreign } from '../parts/foreign.tsx'
import { Panel, Showing } from '../parts/panel.tsx'
import { Problem } from '../parts/problem.tsx'
import { Time } from '../parts/time.tsx'
import { useLoad } from '../parts/use-load.ts'
import { Link } from '../router/link.tsx'

interface UserSessionsProps {
  readonly id: string
  readonly changes: number
  readonly onChanged: (message: string) => void
}

export function UserSessions({ id, changes, onChanged }: UserSessionsProps): JSX.Element {
  const { text } = useLanguage()
  const { api } = useDesk()
  const path = `/users/${encodeURIComponent(id)}/sessions`
  const live = useLoad(`${id} ${changes}`, (signal) => api.get<Page<SessionItem>>(path, {}, signal))
  const [past, setPast] = useState<readonly SessionItem[]>([])
  const [next, setNext] = useState<string | null>(null)
  const [error, setError] = useState<ApiError | null>(null)
  const [ending, setEnding] = useState<SessionItem | null>(null)

  function loadPast(cursor: string | null): void {
    api.get<Page<SessionItem>>(path, { ended: 'true', limit: 20, cursor: cursor ?? undefined }).then(
      (page) => {
        setPast((before) => (cursor === null ? page.items : [...before, ...page.items]))
        setNext(page.next)
        setError(null)
      },
      (thrown) => setError(toApiError(thrown)),
    )
  }
  useEffect(() => loadPast(null), [id, changes])

  return (
    <>
      <Panel title={text.user.live}>
        <Showing loaded={live}>
          {({ items }) =>
            items.length === 0 ? (
              <p class="quiet">{text.states.empty}</p>
            ) : (
              <Sessions items={items} label={text.user.live} onEnd={setEnding} />
            )
          }
        </Showing>
      </Panel>
      <Devices items={[...(live.data?.items ?? []), ...past]} />
      {(past.length > 0 || error !== null) && (
        <Panel title={text.user.past}>
          {error !== null && <Problem error={error} onRetry={() => loadPast(null)} />}
          <Sessions items={past} label={text.user.past} />
          {next !== null && (
            <button type="button" class="button" onClick={() => loadPast(next)}>
              {text.actions.more}
            </button>
          )}
        </Panel>
      )}
      {ending !== null && (
        <Confirm
          title={text.session.endAsk}
          about={text.session.endAbout}
          action={text.session.end}
          danger
          work={async () => {
            await api.send('DELETE', `/sessions/${ending.id}`)
          }}
          onDone={() => {
            setEnding(null)
            onChanged('')
          }}
          onClose={() => setEnding(null)}
        />
      )}
    </>
  )
}

interface SessionsProps {
  readonly items: readonly SessionItem[]
  readonly label: string
  readonly onEnd?: (session: SessionItem) => void
}

function Sessions({ items, label, onEnd }: SessionsProps): JSX.Element {
  const { text } = useLanguage()
  const { admin } = useDesk()
  return (
    <div class="scroll-x" tabIndex={0} role="group" aria-label={label}>
      <table class="table">
        <thead>
          <tr>
            <th scope="col">{text.session.started}</th>
            <th scope="col">{onEnd === undefined ? text.session.ended : text.session.lastUsed}</th>
            <th scope="col">{text.event.ip}</th>
            <th scope="col">{text.event.userAgent}</th>
            <th scope="col">{onEnd === undefined ? text.session.reason : text.session.expires}</th>
            {onEnd !== undefined && (
              <th scope="col">
                <span class="unseen">{text.session.end}</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {items.map((session) => (
            <tr key={session.id}>
              <td>
                <Link parts={['sessions', session.id]}>
                  <Time at={session.created_at} />
                </Link>
              </td>
              <td>
                <Time at={session.ended_at ?? session.last_used_at} relative />
              </td>
              <td>
                {session.ip !== null && (
                  <Link parts={['addresses', session.ip]} class="mono">
                    {session.ip}
                  </Link>
                )}
              </td>
              <td class="cell-program">
                {session.user_agent !== null && <Foreign text={session.user_agent} most={60} />}
              </td>
              <td>
                {session.ended_at === null ? (
                  <Time at={session.expires_at} relative />
                ) : (
                  <Reason reason={session.end_reason} />
                )}
              </td>
              {onEnd !== undefined && (
                <td class="cell-end">
                  <button type="button" class="button small-button" onClick={() => onEnd(session)}>
                    {text.session.end}
                  </button>
                  {session.id === admin.sessionId && <span class="quiet small"> {text.session.current}</span>}
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Reason({ reason }: { readonly reason: string | null }): JSX.Element {
  return <>{useReason(reason) ?? '–'}</>
}

/** A program that keeps no device token is a new device each time. */
const DEVICES_FIRST = 8

/** The devices of these sessions, the one that was used last first. */
function Devices({ items }: { readonly items: readonly SessionItem[] }): JSX.Element | null {
  const { text, format } = useLanguage()
  const [all, setAll] = useState(false)
  const devices = new Map<string, { last: SessionItem; count: number }>()
  for (const session of items) {
    if (session.device_id === null) continue
    const known = devices.get(session.device_id)
    const last = known === undefined || session.last_used_at > known.last.last_used_at ? session : known.last
    devices.set(session.device_id, { last, count: (known?.count ?? 0) + 1 })
  }
  if (devices.size === 0) return null
  const sorted = [...devices].sort(([, a], [, b]) => b.last.last_used_at - a.last.last_used_at)
  return (
    <Panel title={text.user.devices} about={text.user.devicesAbout}>
      <ul class="plain-list">
        {(all ? sorted : sorted.slice(0, DEVICES_FIRST)).map(([id, { last, count }]) => (
          <li key={id} class="row row-between">
            <span class="row">
              <Link {...eventsBy('device', id)} class="mono">
                {id}
              </Link>
              {last.user_agent !== null && (
                <span class="quiet">
                  <Foreign text={last.user_agent} most={60} />
                </span>
              )}
            </span>
            <span class="quiet">
              {text.user.sessionCount(count, format.number(count))} · <Time at={last.last_used_at} relative />
            </span>
          </li>
        ))}
      </ul>
      {!all && sorted.length > DEVICES_FIRST && (
        <button type="button" class="button" onClick={() => setAll(true)}>
          {text.actions.more}
        </button>
      )}
    </Panel>
  )
}
