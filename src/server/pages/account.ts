import type { Session } from '../../api.ts'
import type { LogEvent } from '../../event/event.ts'
import { toWireActivity } from '../../http/wire.ts'
import { describeBrowser } from './describe-browser.ts'
import { type Html, html, noticeBox, type PageContent, problemBox, timeOf } from './html.ts'
import { PATHS, type PageCall, type PageRoute } from './page.ts'

const EVENTS_A_PAGE = 20
/** Behind these stands a session that somebody else may have begun or gone on with. */
const DISOWNABLE: ReadonlySet<string> = new Set(['login.succeeded', 'session.refreshed', 'user.registered'])

/** What users see of their own: sessions and history, and what they can do about them. */
export const accountRoutes: readonly PageRoute[] = [
  {
    method: 'GET',
    path: PATHS.account,
    for: 'user',
    handle: async (call) => ({ page: await accountPage(call, null) }),
  },
  {
    method: 'POST',
    path: PATHS.endSession,
    for: 'user',
    async handle({ gate, claims, form, context }) {
      const { userId, sessionId } = claims!
      const session = await gate.sessions.find(form.session ?? '')
      if (session !== null && session.userId === userId) {
        await gate.sessions.end(session.id, 'ended-by-user', { ...context, actor: { kind: 'user', id: userId } })
      }
      return { redirect: session?.id === sessionId ? PATHS.signIn : `${PATHS.account}?notice=ended` }
    },
    refuse: accountPage,
  },
  {
    method: 'POST',
    path: PATHS.endOthers,
    for: 'user',
    async handle({ gate, cookies, headers, context }) {
      const refreshToken = cookies.read(headers, 'refresh')
      if (refreshToken !== null) await gate.logout({ refreshToken, scope: 'others' }, context)
      return { redirect: `${PATHS.account}?notice=ended` }
    },
    refuse: accountPage,
  },
  {
    method: 'GET',
    path: PATHS.disown,
    for: 'user',
    async handle(call) {
      const event = await findOwn(call, call.query.get('event') ?? '')
      if (event === null) return { redirect: PATHS.account }
      return { page: disownPage(call, event, await findNames(call, [], [event])) }
    },
  },
  {
    method: 'POST',
    path: PATHS.disown,
    for: 'user',
    async handle({ gate, claims, form, context }) {
      const { userId, sessionId } = claims!
      const by = { ...context, actor: { kind: 'user', id: userId } as const }
      await gate.sessions.disown({ userId, eventId: form.event ?? '' }, by)
      // Its whole lineage has ended, which this one may be part of.
      if ((await gate.sessions.find(sessionId))?.endedAt !== null)
        return { redirect: `${PATHS.signIn}?notice=disowned` }
      return { redirect: `${PATHS.password}?notice=disowned` }
    },
    refuse: accountPage,
  },
]

async function findOwn({ gate, claims }: PageCall, eventId: string): Promise<LogEvent | null> {
  const event = await gate.log.find(eventId)
  return event !== null && event.subject === claims!.userId && isDisownable(event) ? event : null
}

const isDisownable = ({ type, sessionId }: LogEvent): boolean => DISOWNABLE.has(type) && sessionId !== null

const NOTICES = { ended: 'ended', password: 'changeDone' } as const

async function accountPage(call: PageCall, problem: string | null): Promise<PageContent> {
  const { gate, texts, query, claims } = call
  const { userId, sessionId } = claims!
  const cursor = query.get('cursor')
  const [user, sessions, history] = await Promise.all([
    gate.users.find(userId),
    gate.sessions.list(userId),
    gate.log.activity(userId, { limit: EVENTS_A_PAGE, ...(cursor !== null && { cursor }) }),
  ])
  const names = await findNames(call, sessions, history.items)
  const notice = query.get('notice')
  const says = notice !== null && Object.hasOwn(NOTICES, notice) ? texts[NOTICES[notice as keyof typeof NOTICES]] : null
  const links = [
    cursor === null ? html`` : html`<a href="${PATHS.account}">${texts.newest}</a>`,
    history.next === null
      ? html``
      : html`<a href="${PATHS.account}?${new URLSearchParams({ cursor: history.next }).toString()}" rel="next">${texts.older}</a>`,
  ]
  const others =
    sessions.length < 2
      ? html``
      : html`<form method="post" action="${PATHS.endOthers}"><button class="plain" type="submit">${texts.endOthers}</button></form>`
  return {
    title: texts.accountTitle,
    wide: true,
    aside: html`<div class="actions"><a href="${PATHS.password}">${texts.changeTitle}</a>
<form class="inline" method="post" action="${PATHS.signOut}"><button class="plain" type="submit">${texts.signOut}</button></form></div>`,
    body: html`<h1>${texts.accountTitle}</h1>
<p class="quiet"><bdi>${user?.identifier ?? userId}</bdi></p>
${problemBox(problem)}${noticeBox(says)}
<section class="card" aria-labelledby="sessions">
<h2 id="sessions">${texts.sessions}</h2>
<p class="quiet">${texts.sessionsSay}</p>
<ul class="rows">${sessions.map((session) => sessionRow(call, session, { isThis: session.id === sessionId, names }))}</ul>
${others}
</section>
<section class="card" aria-labelledby="history">
<h2 id="history">${texts.history}</h2>
${history.items.length === 0 ? html`<p>${texts.nothing}</p>` : html`<ul class="rows">${history.items.map((event) => eventRow(call, event, names))}</ul>`}
<div class="links">${links}</div>
</section>`,
  }
}

type Names = ReadonlyMap<string, string>

/** Of the applications that a page has to name. */
async function findNames(
  { gate }: PageCall,
  sessions: readonly Session[],
  events: readonly LogEvent[],
): Promise<Names> {
  const ids = new Set([...sessions.map(({ clientId }) => clientId), ...events.map(clientOf)])
  const clients = await Promise.all([...ids].map((id) => (id === null ? null : gate.clients.find(id))))
  return new Map(clients.flatMap((client) => (client === null ? [] : [[client.id, client.name]])))
}

function clientOf({ type, data }: LogEvent): string | null {
  const client = type === 'login.succeeded' ? data?.client : undefined
  return typeof client === 'string' ? client : null
}

function sessionRow(
  call: PageCall,
  { id, userAgent, ip, lastUsedAt, clientId }: Session,
  { isThis, names }: { readonly isThis: boolean; readonly names: Names },
): Html {
  const { texts, settings, frame } = call
  const application = clientId === null ? undefined : (names.get(clientId) ?? clientId)
  const place = [
    application === undefined ? null : html`${texts.inApplication(application)}`,
    ip === null ? null : html`${texts.from(ip)}`,
    html`${texts.lastUsed} ${timeOf(lastUsedAt, settings.clock.now(), frame.language)}`,
  ]
  const end = isThis
    ? html`<span class="mark">${texts.thisOne}</span>`
    : html`<form method="post" action="${PATHS.endSession}"><input type="hidden" name="session" value="${id}"><button class="plain" type="submit">${texts.end}</button></form>`
  return html`<li><div><p>${describeBrowser(userAgent, texts)}</p><p class="quiet">${joined(place)}</p></div>${end}</li>`
}

function eventRow(call: PageCall, event: LogEvent, names: Names): Html {
  const { texts } = call
  const bad = event.outcome === 'success' ? '' : html` <span class="mark bad">!</span>`
  const disown = isDisownable(event)
    ? html`<a href="${PATHS.disown}?${new URLSearchParams({ event: event.id }).toString()}">${texts.disown}</a>`
    : html``
  return html`<li><div><p>${titleOf(call, event, names)}${bad}</p><p class="quiet">${whereOf(call, event)}</p></div>${disown}</li>`
}

function titleOf({ texts }: PageCall, event: LogEvent, names: Names): string {
  const { type, reason } = event
  const client = clientOf(event)
  if (client !== null) return texts.wentOnTo(names.get(client) ?? client)
  return texts.events[`${type} ${reason}`] ?? texts.events[type] ?? type
}

/** "Chrome on Windows, today 09:12, from 203.0.113.9". */
function whereOf({ texts, settings, frame }: PageCall, event: LogEvent): Html {
  // Where an admin works from is nobody's business but the admins'.
  const { ip, user_agent: userAgent } = toWireActivity(event)
  return joined([
    userAgent === null ? null : html`${describeBrowser(userAgent, texts)}`,
    timeOf(event.at, settings.clock.now(), frame.language),
    ip === null ? null : html`${texts.from(ip)}`,
  ])
}

function joined(parts: readonly (Html | null)[]): Html {
  const there = parts.filter((part) => part !== null)
  return html`${there.map((part, place) => (place === 0 ? part : html`, ${part}`))}`
}

function disownPage(call: PageCall, event: LogEvent, names: Names): PageContent {
  const { texts } = call
  return {
    title: texts.disownTitle,
    body: html`<div class="card">
<h1>${texts.disownTitle}</h1>
<p><strong>${titleOf(call, event, names)}</strong><br><span class="quiet">${whereOf(call, event)}</span></p>
<p>${texts.disownSays}</p>
<form method="post" action="${PATHS.disown}">
<input type="hidden" name="event" value="${event.id}">
<button class="whole" type="submit">${texts.disownButton}</button>
</form>
<div class="links"><a href="${PATHS.account}">${texts.cancel}</a></div>
</div>`,
  }
}
