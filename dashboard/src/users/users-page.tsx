import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { isId } from '../../../src/util/id-kind.ts'
import type { Api } from '../api/api.ts'
import { ApiError, toApiError } from '../api/api-error.ts'
import type { Page, UserItem } from '../api/wire.ts'
import { useDesk } from '../context.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { Foreign } from '../parts/foreign.tsx'
import { Icon } from '../parts/icon.tsx'
import { Panel } from '../parts/panel.tsx'
import { Problem } from '../parts/problem.tsx'
import { Time } from '../parts/time.tsx'
import { useStateFrom } from '../parts/use-state-from.ts'
import { Link } from '../router/link.tsx'
import { go, goWith, hrefOf, type Place } from '../router/location.ts'
import { UserState } from './user-state.tsx'

export function UsersPage({ place }: { readonly place: Place }): JSX.Element {
  const { text } = useLanguage()
  const { api } = useDesk()
  const wanted = place.search.get('find') ?? ''
  const [typed, setTyped] = useStateFrom(wanted, String)
  const [missing, setMissing] = useState(false)
  const [error, setError] = useState<ApiError | null>(null)
  useEffect(() => {
    setMissing(false)
    setError(null)
    if (wanted === '') return
    let stale = false
    findUser(api, wanted).then(
      (user) => {
        if (stale) return
        if (user === null) setMissing(true)
        else go(hrefOf({ parts: ['users', user.id] }), { replace: true })
      },
      (thrown) => !stale && setError(toApiError(thrown)),
    )
    return () => {
      stale = true
    }
  }, [wanted, api])
  return (
    <div class="stack">
      <div class="page-head">
        <h1>{text.app.users}</h1>
      </div>
      <form
        class="query-line"
        role="search"
        onSubmit={(event) => {
          event.preventDefault()
          goWith({ find: typed.trim() })
        }}
      >
        <Icon name="search" />
        <input
          class="query-input"
          aria-label={text.users.search}
          placeholder={text.users.search}
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
        <button type="submit" class="button primary">
          {text.users.find}
        </button>
      </form>
      {error !== null && <Problem error={error} />}
      {(wanted === '' || missing) && <UserList key={wanted} api={api} beginning={wanted} />}
    </div>
  )
}

/** By identifier, and by id, which for users of the application can be any text. */
async function findUser(api: Api, wanted: string): Promise<UserItem | null> {
  if (!isId('user', wanted)) {
    const page = await api.get<Page<UserItem>>('/users', { identifier: wanted })
    if (page.items[0] !== undefined) return page.items[0]
  }
  try {
    return await api.get<UserItem>(`/users/${encodeURIComponent(wanted)}`)
  } catch (error) {
    if (error instanceof ApiError && error.status < 500 && error.status >= 400 && error.status !== 401) return null
    throw error
  }
}

/** All, the newest first; or those whose identifiers begin like something. */
function UserList({ api, beginning }: { readonly api: Api; readonly beginning: string }): JSX.Element {
  const { text } = useLanguage()
  const [items, setItems] = useState<readonly UserItem[]>([])
  const [next, setNext] = useState<string | null>(null)
  const [error, setError] = useState<ApiError | null>(null)
  const [loading, setLoading] = useState(false)
  const stale = useRef(false)
  function load(cursor: string | null): void {
    setLoading(true)
    setError(null)
    api.get<Page<UserItem>>('/users', { starts_with: beginning || undefined, cursor: cursor ?? undefined }).then(
      (page) => {
        if (stale.current) return
        setItems((before) => (cursor === null ? page.items : [...before, ...page.items]))
        setNext(page.next)
        setLoading(false)
      },
      (thrown) => {
        if (stale.current) return
        setError(toApiError(thrown))
        setLoading(false)
      },
    )
  }
  useEffect(() => {
    load(null)
    return () => {
      stale.current = true
    }
  }, [])
  const { columns } = text.users
  const title = beginning === '' ? text.users.list : text.users.found
  return (
    <Panel title={title}>
      {error !== null && <Problem error={error} onRetry={() => load(null)} />}
      <div class="scroll-x" tabIndex={0} role="group" aria-label={title}>
        <table class="table">
          <thead>
            <tr>
              <th scope="col">{columns.identifier}</th>
              <th scope="col">{columns.state}</th>
              <th scope="col">{columns.roles}</th>
              <th scope="col">{columns.created}</th>
              <th scope="col">{columns.id}</th>
            </tr>
          </thead>
          <tbody>
            {items.map((user) => (
              <tr key={user.id}>
                <td class="cell-wide">
                  <Link parts={['users', user.id]}>
                    {user.identifier === null ? (
                      <Foreign text={user.id} most={80} mono />
                    ) : (
                      <Foreign text={user.identifier} most={80} />
                    )}
                  </Link>
                </td>
                <td>
                  <UserState user={user} />
                </td>
                <td>
                  {user.roles.map((role) => (
                    <span key={role} class="badge">
                      {role}
                    </span>
                  ))}
                </td>
                <td>
                  <Time at={user.created_at} />
                </td>
                <td>
                  <Foreign text={user.id} most={40} mono />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {loading && (
        <p class="quiet loading" role="status">
          {text.states.loading}
        </p>
      )}
      {!loading && error === null && items.length === 0 && (
        <p class="quiet" role="status">
          {beginning === '' ? text.states.empty : text.users.notFound}
        </p>
      )}
      {next !== null && !loading && (
        <button type="button" class="button" onClick={() => load(next)}>
          {text.actions.more}
        </button>
      )}
    </Panel>
  )
}
