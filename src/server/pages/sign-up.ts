import { field, html, problemBox } from './html.ts'
import { localPath, PATHS, type PageCall, type PageRoute } from './page.ts'
import { returnField, signedIn, withReturn } from './sign-in.ts'
import { cookieContext } from './visitor.ts'

/** Creating an account, in each of the ways that `registration` allows. */
export const signUpRoutes: readonly PageRoute[] = [
  {
    method: 'GET',
    path: PATHS.signUp,
    for: 'anybody',
    handle: async (call) => ({ page: signUpPage(call, localPath(call.query.get('return_to')), null) }),
  },
  {
    method: 'POST',
    path: PATHS.signUp,
    for: 'anybody',
    async handle(call) {
      const { gate, form, cookies, headers, context, settings, texts } = call
      const credentials = { identifier: form.identifier ?? '', password: form.password ?? '' }
      if (settings.registration === 'confirm') {
        await gate.registrations.request(credentials, context)
        return {
          page: {
            title: texts.sentTitle,
            body: html`<div class="card"><h1>${texts.sentTitle}</h1><p>${texts.confirmSentSays}</p></div>`,
          },
        }
      }
      const invitation = form.token === undefined ? {} : { invitation: form.token.trim() }
      const tokens = await gate.register({ ...credentials, ...invitation }, cookieContext(cookies, headers, context))
      return signedIn(call, tokens)
    },
    refuse: (call, problem) => signUpPage(call, localPath(call.form.return_to), problem),
  },
  {
    method: 'GET',
    path: PATHS.confirm,
    for: 'anybody',
    handle: async (call) => ({ page: confirmPage(call, null) }),
  },
  {
    method: 'POST',
    path: PATHS.confirm,
    for: 'anybody',
    async handle(call) {
      const { gate, form, cookies, headers, context } = call
      const input = { token: (form.token ?? '').trim(), password: form.password ?? '' }
      return signedIn(call, await gate.registrations.confirm(input, cookieContext(cookies, headers, context)))
    },
    refuse: confirmPage,
  },
]

function signUpPage({ texts, form, settings }: PageCall, to: string | null, problem: string | null) {
  const { registration, passwordMinLength: least } = settings
  if (registration === 'closed') {
    return {
      title: texts.signUp,
      body: html`<div class="card"><h1>${texts.signUp}</h1><p>${texts.closedSays}</p></div>`,
    }
  }
  const invitation =
    registration === 'invite'
      ? field({
          name: 'token',
          label: texts.invitation,
          type: 'text',
          autocomplete: 'off',
          value: form.token ?? '',
          fromHash: true,
        })
      : html``
  return {
    title: texts.signUp,
    body: html`<div class="card">
<h1>${texts.signUp}</h1>
${problemBox(problem)}
<form method="post" action="${PATHS.signUp}">
${returnField(to)}${invitation}
${field({ name: 'identifier', label: texts.identifier, type: 'text', autocomplete: 'username', value: form.identifier ?? '' })}
${field({ name: 'password', label: texts.password, type: 'password', autocomplete: 'new-password', hint: texts.passwordHint(least), minLength: least })}
<button class="whole" type="submit">${texts.signUp}</button>
</form>
<div class="links"><a href="${withReturn(PATHS.signIn, to)}">${texts.haveAccount}</a></div>
</div>`,
  }
}

function confirmPage({ texts, form }: PageCall, problem: string | null) {
  return {
    title: texts.confirmTitle,
    body: html`<div class="card">
<h1>${texts.confirmTitle}</h1>
${problemBox(problem)}
<form method="post" action="${PATHS.confirm}">
${field({ name: 'token', label: texts.code, type: 'text', autocomplete: 'off', value: form.token ?? '', hint: texts.codeHint, fromHash: true })}
${field({ name: 'password', label: texts.password, type: 'password', autocomplete: 'current-password' })}
<button class="whole" type="submit">${texts.confirm}</button>
</form>
</div>`,
  }
}
