import type { Gatebook, SessionTokens } from '../../api.ts'
import { findApplication, isAuthorizePath, onwardPage } from './authorize.ts'
import { field, type Html, html, noticeBox, type PageContent, problemBox } from './html.ts'
import { localPath, PATHS, type PageAnswer, type PageCall, type PageRoute } from './page.ts'
import { cookieContext } from './visitor.ts'

/** Logging in and out. */
export const signInRoutes: readonly PageRoute[] = [
  {
    method: 'GET',
    path: PATHS.signIn,
    for: 'either',
    async handle(call) {
      const to = localPath(call.query.get('return_to'))
      if (call.claims !== null && !call.query.has('again')) return { redirect: to ?? PATHS.account }
      return { page: await signInPage(call, { to }) }
    },
  },
  {
    method: 'POST',
    path: PATHS.signIn,
    for: 'anybody',
    async handle(call) {
      const { gate, form, cookies, headers, context } = call
      const credentials = { identifier: form.identifier ?? '', password: form.password ?? '' }
      const before = cookies.read(headers, 'refresh')
      const tokens = await gate.login(credentials, cookieContext(cookies, headers, context))
      if (before !== null) await leaveOther(gate, before, tokens.userId, context)
      return signedIn(call, tokens)
    },
    refuse: (call, problem) => signInPage(call, { to: localPath(call.form.return_to), problem }),
  },
  {
    method: 'POST',
    path: PATHS.signOut,
    for: 'anybody',
    async handle({ gate, cookies, headers, context }) {
      const refreshToken = cookies.read(headers, 'refresh')
      if (refreshToken !== null && refreshToken !== '') await gate.logout({ refreshToken }, context)
      return { redirect: PATHS.signIn, setCookies: cookies.clear() }
    },
    // A token that never was one: there is nothing to log out from.
    refuse: (call) => signInPage(call, { to: null }),
  },
]

/** Whoever was logged in in this browser before has no other way left to log out. */
async function leaveOther(
  gate: Gatebook,
  refreshToken: string,
  userId: string,
  context: PageCall['context'],
): Promise<void> {
  const found = await gate.tokens.introspect(refreshToken)
  if (found.active && found.userId !== userId) await gate.logout({ refreshToken }, context)
}

export function signedIn(call: PageCall, tokens: SessionTokens): PageAnswer {
  const to = localPath(call.form.return_to) ?? PATHS.account
  const setCookies = call.cookies.issue(tokens)
  return isAuthorizePath(to) ? { page: onwardPage(call, to), setCookies } : { redirect: to, setCookies }
}

/** Where the reader goes on to, through the forms in between. */
export function returnField(to: string | null): Html {
  return to === null ? html`` : html`<input type="hidden" name="return_to" value="${to}">`
}

export function withReturn(path: string, to: string | null): string {
  return to === null ? path : `${path}?${new URLSearchParams({ return_to: to }).toString()}`
}

const NOTICES = { reset: 'resetDone', disowned: 'disownedOwn' } as const

async function signInPage(call: PageCall, shown: { to: string | null; problem?: string }): Promise<PageContent> {
  const { texts, form, query, settings } = call
  const { to, problem = null } = shown
  const application = await findApplication(call, to)
  const notice = query.get('notice')
  const says = notice !== null && Object.hasOwn(NOTICES, notice) ? texts[NOTICES[notice as keyof typeof NOTICES]] : null
  const links = [
    settings.sendsMail ? html`<a href="${PATHS.forgot}">${texts.forgot}</a>` : html``,
    settings.registration === 'closed'
      ? html``
      : html`<a href="${withReturn(PATHS.signUp, to)}">${texts.noAccount}</a>`,
  ]
  return {
    title: texts.signIn,
    body: html`<div class="card">
<h1>${texts.signIn}</h1>
${application === null ? '' : html`<p class="quiet">${texts.goOnTo(application.name)}</p>`}
${problemBox(problem)}${noticeBox(says)}
<form method="post" action="${PATHS.signIn}">
${returnField(to)}
${field({ name: 'identifier', label: texts.identifier, type: 'text', autocomplete: 'username', value: form.identifier ?? '' })}
${field({ name: 'password', label: texts.password, type: 'password', autocomplete: 'current-password' })}
<button class="whole" type="submit">${texts.signIn}</button>
</form>
<div class="links">${links}</div>
</div>`,
  }
}
