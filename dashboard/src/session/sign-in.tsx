import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { useLanguage } from '../i18n/language.tsx'
import { Problem } from '../parts/problem.tsx'
import { useAction } from '../parts/use-load.ts'
import { Preferences } from '../shell/preferences.tsx'
import type { DashboardSession, Standing } from './session.ts'

export function SignIn({
  session,
  standing,
}: {
  readonly session: DashboardSession
  readonly standing: Standing
}): JSX.Element {
  const { text, words } = useLanguage()
  const { busy, error, run } = useAction()
  const [identifier, setIdentifier] = useState('')
  const [password, setPassword] = useState('')
  const first = useRef<HTMLInputElement>(null)
  useEffect(() => first.current?.focus(), [])
  useEffect(() => {
    document.title = text.app.title(text.signIn.title)
  }, [text])

  const reason = standing.kind === 'signed-out' && standing.reason !== 'logout' ? standing.reason : null
  return (
    <div class="sign-in">
      <main class="sign-in-box">
        <div class="brand">
          <span class="brand-mark" aria-hidden="true" />
          {text.app.name}
        </div>
        <h1>{text.signIn.title}</h1>
        <p class="quiet">{text.signIn.about}</p>
        {standing.kind === 'forbidden' && (
          <div class="problem" role="alert">
            <p>{text.signIn.forbidden}</p>
            <p class="quiet">{text.signIn.forbiddenAbout(standing.userId)}</p>
            <button type="button" class="button" onClick={() => void run(() => session.signOut())}>
              {text.signIn.other}
            </button>
          </div>
        )}
        {reason !== null && <p class="notice">{text.signIn.ended(words.reasons[reason] ?? reason)}</p>}
        <form
          class="stack"
          onSubmit={(event) => {
            event.preventDefault()
            void run(() => session.signIn(identifier, password)).then(() => setPassword(''))
          }}
        >
          <label class="field">
            <span>{text.signIn.identifier}</span>
            <input
              ref={first}
              name="username"
              autocomplete="username"
              autocapitalize="none"
              spellcheck={false}
              required
              value={identifier}
              onInput={(event) => setIdentifier(event.currentTarget.value)}
            />
          </label>
          <label class="field">
            <span>{text.signIn.password}</span>
            <input
              name="password"
              type="password"
              autocomplete="current-password"
              required
              value={password}
              onInput={(event) => setPassword(event.currentTarget.value)}
            />
          </label>
          {error !== null && <Problem error={error} />}
          <button type="submit" class="button primary wide" disabled={busy}>
            {busy ? text.signIn.busy : text.signIn.submit}
          </button>
        </form>
        {!session.lasts && <p class="quiet small">{text.signIn.memory}</p>}
        <details class="small quiet">
          <summary>{text.signIn.firstAdmin}</summary>
          <code class="command">gatebook user add --admin you@example.org</code>
        </details>
      </main>
      <footer class="sign-in-foot">
        <Preferences />
      </footer>
    </div>
  )
}
