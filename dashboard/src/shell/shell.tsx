import type { ComponentChildren, JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { useDesk } from '../context.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { Icon } from '../parts/icon.tsx'
import { Problem } from '../parts/problem.tsx'
import { useAction } from '../parts/use-load.ts'
import { Link } from '../router/link.tsx'
import { Preferences } from './preferences.tsx'

/** The pages, in the order of the navigation; each is a folder beside this one. */
export const PAGES = ['overview', 'events', 'users', 'addresses', 'integrity', 'settings'] as const
export type PageName = (typeof PAGES)[number]

export function Shell({
  page,
  children,
}: {
  readonly page: PageName | null
  readonly children: ComponentChildren
}): JSX.Element {
  const { text } = useLanguage()
  const { session } = useDesk()
  const leaving = useAction()
  useEffect(() => {
    document.title = page === null ? text.app.name : text.app.title(text.app[page])
  }, [page, text])
  return (
    <div class="shell">
      <a class="skip" href="#content">
        {text.app.skip}
      </a>
      <header class="bar">
        <Link parts={[]} class="brand">
          <span class="brand-mark" aria-hidden="true" />
          <span class="brand-name">{text.app.name}</span>
        </Link>
        <nav class="nav" aria-label={text.app.navigation}>
          <ul>
            {PAGES.map((name) => (
              <li key={name}>
                <Link parts={name === 'overview' ? [] : [name]} class="nav-link" current={name === page}>
                  <Icon name={name} />
                  <span>{text.app[name]}</span>
                </Link>
              </li>
            ))}
          </ul>
        </nav>
        <div class="bar-end">
          <Preferences />
          <button
            type="button"
            class="button quiet-button"
            disabled={leaving.busy}
            onClick={() => void leaving.run(() => session.signOut())}
          >
            <Icon name="out" />
            <span>{text.app.signOut}</span>
          </button>
        </div>
      </header>
      <main id="content" class="content" tabIndex={-1}>
        {leaving.error !== null && <Problem error={leaving.error} />}
        {children}
      </main>
    </div>
  )
}
