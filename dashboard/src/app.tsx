import type { ComponentType, JSX } from 'preact'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { AddressesPage } from './addresses/addresses-page.tsx'
import { createApi } from './api/api.ts'
import { toApiError } from './api/api-error.ts'
import { type Desk, DeskContext } from './context.tsx'
import { EventsPage } from './events/events-page.tsx'
import { useLanguage } from './i18n/language.tsx'
import { IntegrityPage } from './integrity/integrity-page.tsx'
import { OverviewPage } from './overview/overview-page.tsx'
import { Problem } from './parts/problem.tsx'
import { Link } from './router/link.tsx'
import { type Place, usePlace } from './router/location.ts'
import type { DashboardSession } from './session/session.ts'
import { SignIn } from './session/sign-in.tsx'
import { SettingsPage } from './settings/settings-page.tsx'
import { PAGES, type PageName, Shell } from './shell/shell.tsx'
import type { Surroundings } from './surroundings.ts'
import { SessionPage } from './users/session-page.tsx'
import { UserPage } from './users/user-page.tsx'
import { UsersPage } from './users/users-page.tsx'

export interface AppProps {
  readonly surroundings: Surroundings
  readonly session: DashboardSession
}

export function App({ surroundings, session }: AppProps): JSX.Element {
  const { text } = useLanguage()
  const [standing, setStanding] = useState(session.standing)
  useEffect(() => {
    setStanding(session.standing())
    return session.watch(() => setStanding(session.standing()))
  }, [session])
  const api = useMemo(() => createApi(session.client, surroundings.admin), [session, surroundings])
  const desk = useMemo<Desk | null>(
    () => (standing.kind === 'admin' ? { api, session, surroundings, admin: standing.admin } : null),
    [standing, api],
  )
  if (standing.kind === 'looking') {
    return (
      <p class="looking" role="status">
        {text.states.loading}
      </p>
    )
  }
  if (standing.kind === 'unreachable') {
    return (
      <main class="looking">
        <Problem error={toApiError(standing.error)} onRetry={() => void session.look()} />
      </main>
    )
  }
  if (desk === null) return <SignIn session={session} standing={standing} />
  return (
    <DeskContext.Provider value={desk}>
      <Pages />
    </DeskContext.Provider>
  )
}

const PAGE_VIEWS: Readonly<Record<PageName, ComponentType<{ readonly place: Place }>>> = {
  overview: OverviewPage,
  events: EventsPage,
  users: UsersPage,
  addresses: AddressesPage,
  integrity: IntegrityPage,
  settings: SettingsPage,
}

function Pages(): JSX.Element {
  const place = usePlace()
  const [first = 'overview', id, ...more] = place.parts
  const page = PAGES.find((name) => name === first) ?? (first === 'sessions' ? 'users' : null)
  useNewPage(place.parts.join('/'))
  return <Shell page={page}>{view(place, first, id, more.length > 0)}</Shell>
}

/** Another page begins at its top, and who reads it aloud is told so; a browser does both where pages are documents. */
function useNewPage(path: string): void {
  const last = useRef(path)
  useEffect(() => {
    if (last.current === path) return
    last.current = path
    window.scrollTo(0, 0)
    document.getElementById('content')?.focus({ preventScroll: true })
  }, [path])
}

function view(place: Place, first: string, id: string | undefined, tooLong: boolean): JSX.Element {
  if (!tooLong && first === 'users' && id !== undefined) return <UserPage key={id} id={id} place={place} />
  if (!tooLong && first === 'sessions' && id !== undefined) return <SessionPage key={id} id={id} place={place} />
  const name = PAGES.find((each) => each === first)
  if (name === undefined || tooLong || (id !== undefined && name !== 'addresses')) return <NotFound />
  const View = PAGE_VIEWS[name]
  return <View place={place} />
}

function NotFound(): JSX.Element {
  const { text } = useLanguage()
  return (
    <div class="stack">
      <h1>{text.app.notFound}</h1>
      <p>
        <Link parts={[]}>{text.app.toOverview}</Link>
      </p>
    </div>
  )
}
