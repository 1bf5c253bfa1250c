import { field, html, noticeBox, problemBox } from './html.ts'
import { PATHS, type PageCall, type PageRoute } from './page.ts'

/** A new password, by mail or with the old one. */
export const passwordRoutes: readonly PageRoute[] = [
  {
    method: 'GET',
    path: PATHS.forgot,
    for: 'anybody',
    handle: async (call) => ({ page: forgotPage(call, null) }),
  },
  {
    method: 'POST',
    path: PATHS.forgot,
    for: 'anybody',
    async handle({ gate, form, context, texts }) {
      await gate.passwordResets.request({ identifier: form.identifier ?? '' }, context)
      const body = html`<div class="card"><h1>${texts.sentTitle}</h1><p>${texts.sentSays}</p></div>`
      return { page: { title: texts.sentTitle, body } }
    },
    refuse: forgotPage,
  },
  {
    method: 'GET',
    path: PATHS.reset,
    for: 'anybody',
    handle: async (call) => ({ page: resetPage(call, null) }),
  },
  {
    method: 'POST',
    path: PATHS.reset,
    for: 'anybody',
    async handle({ gate, form, context, cookies }) {
      const input = { token: (form.token ?? '').trim(), newPassword: form.new_password ?? '' }
      await gate.passwordResets.complete(input, context)
      // All sessions have ended, the one of this browser too.
      return { redirect: `${PATHS.signIn}?notice=reset`, setCookies: cookies.clear() }
    },
    refuse: resetPage,
  },
  {
    method: 'GET',
    path: PATHS.password,
    for: 'user',
    handle: async (call) => ({ page: await changePage(call, null) }),
  },
  {
    method: 'POST',
    path: PATHS.password,
    for: 'user',
    async handle({ gate, form, context, claims }) {
      const input = { currentPassword: form.current_password ?? '', newPassword: form.new_password ?? '' }
      await gate.changePassword({ claims: claims!, ...input }, context)
      return { redirect: `${PATHS.account}?notice=password` }
    },
    refuse: changePage,
  },
]

function forgotPage({ texts, form }: PageCall, problem: string | null) {
  return {
    title: texts.forgotTitle,
    body: html`<div class="card">
<h1>${texts.forgotTitle}</h1>
<p>${texts.forgotSays}</p>
${problemBox(problem)}
<form method="post" action="${PATHS.forgot}">
${field({ name: 'identifier', label: texts.identifier, type: 'text', autocomplete: 'username', value: form.identifier ?? '' })}
<button class="whole" type="submit">${texts.send}</button>
</form>
<div class="links"><a href="${PATHS.signIn}">${texts.signIn}</a></div>
</div>`,
  }
}

const newPasswordField = ({ texts, settings: { passwordMinLength: least } }: PageCall) =>
  field({
    name: 'new_password',
    label: texts.newPassword,
    type: 'password',
    autocomplete: 'new-password',
    hint: texts.passwordHint(least),
    minLength: least,
  })

function resetPage(call: PageCall, problem: string | null) {
  const { texts, form } = call
  return {
    title: texts.resetTitle,
    body: html`<div class="card">
<h1>${texts.resetTitle}</h1>
${problemBox(problem)}
<form method="post" action="${PATHS.reset}">
${field({ name: 'token', label: texts.code, type: 'text', autocomplete: 'off', value: form.token ?? '', hint: texts.codeHint, fromHash: true })}
${newPasswordField(call)}
<button class="whole" type="submit">${texts.save}</button>
</form>
</div>`,
  }
}

/** Not sent: it tells a password manager whose password this is. */
function userNameField(identifier: string | null) {
  return identifier === null
    ? html``
    : html`<input type="text" autocomplete="username" value="${identifier}" readonly hidden>`
}

async function changePage(call: PageCall, problem: string | null) {
  const { gate, texts, query, claims } = call
  const user = await gate.users.find(claims!.userId)
  const says = query.get('notice') === 'disowned' ? texts.disowned : null
  return {
    title: texts.changeTitle,
    body: html`<div class="card">
<h1>${texts.changeTitle}</h1>
${noticeBox(says)}<p>${texts.changeSays}</p>
${problemBox(problem)}
<form method="post" action="${PATHS.password}">
${userNameField(user?.identifier ?? null)}
${field({ name: 'current_password', label: texts.currentPassword, type: 'password', autocomplete: 'current-password' })}
${newPasswordField(call)}
<button class="whole" type="submit">${texts.save}</button>
</form>
<div class="links"><a href="${PATHS.account}">${texts.cancel}</a></div>
</div>`,
  }
}
