import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Gatebook, HttpRequest, HttpResponse } from '../../api.ts'
import { GatebookError, isGatebookError } from '../../errors.ts'
import { createAnswering } from '../../http/answer.ts'
import { readFormBody } from '../../http/body.ts'
import type { HttpContext } from '../../http/context.ts'
import { type CookieSettings, createCookies } from '../../http/cookie.ts'
import type { Diagnostics } from '../../options.ts'
import { generateId } from '../../util/id.ts'
import { chooseLanguage } from '../mail-texts.ts'
import { accountRoutes } from './account.ts'
import { authorizeRoutes } from './authorize.ts'
import { type Brand, brandStyle } from './brand.ts'
import { type Frame, html, LANGUAGES, renderPage } from './html.ts'
import { localPath, PATHS, type PageAnswer, type PageCall, type PageRoute, type PageSettings } from './page.ts'
import { passwordRoutes } from './password.ts'
import { signInRoutes } from './sign-in.ts'
import { signUpRoutes } from './sign-up.ts'
import { describeProblem, PAGE_TEXTS, type PageLanguage } from './texts.ts'
import { findVisitor } from './visitor.ts'

const FORM_LIMIT = 16_384
const LANGUAGE_SECONDS = 31_536_000
const POLICY =
  "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

/** Log-in, account and what is between them, as pages of the server that work without a script. */
export interface Pages {
  /** Null for a path that is none of theirs. Never rejects. */
  answer(request: HttpRequest, connection?: Parameters<Gatebook['exchange']>[1]): Promise<HttpResponse> | null
}

export interface PagesParts {
  readonly gate: Gatebook
  readonly cookieSettings: CookieSettings
  readonly settings: PageSettings
  readonly brand: Brand
  readonly fallbackLanguage: PageLanguage
  readonly diagnostics: Diagnostics
}

interface Asset {
  readonly type: string
  readonly bytes: Uint8Array
}

const ROUTES = [...signInRoutes, ...signUpRoutes, ...passwordRoutes, ...accountRoutes, ...authorizeRoutes]

export function createPages(parts: PagesParts): Pages {
  const { gate, settings, brand, fallbackLanguage, diagnostics } = parts
  const { issuer } = parts.cookieSettings
  const cookies = createCookies(parts.cookieSettings)
  if (cookies === null) throw new TypeError('pages need cookies')
  const answering = createAnswering(issuer)
  const isSecure = /^https:/i.test(issuer)
  const routes = new Map(ROUTES.map((route) => [`${route.method} ${route.path}`, route]))
  const assets = new Map<string, Asset>()

  /** Under a name that changes with the content, so that it may be kept for ever. */
  function offer(name: string, ending: string, type: string, bytes: Uint8Array): string {
    const path = `/pages/${name}-${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}.${ending}`
    assets.set(path, { type, bytes })
    return path
  }
  const ownFile = (name: string) => readFileSync(new URL(name, import.meta.url))
  const style = Buffer.concat([Buffer.from(brandStyle(brand.color)), ownFile('style.css')])
  const stylePath = offer('style', 'css', 'text/css; charset=utf-8', style)
  const scriptPath = offer('page', 'js', 'text/javascript; charset=utf-8', ownFile('in-browser.js'))
  const { logo } = brand
  const logoPath = logo === null ? '' : offer('logo', logo.ending, logo.type, logo.bytes)

  function serveAsset({ type, bytes }: Asset, { requestId }: HttpContext): HttpResponse {
    const headers: Record<string, string> = {
      'Content-Type': type,
      'Cache-Control': 'public, max-age=31536000, immutable',
    }
    // A drawing is a document when it is opened by itself; its own styles are part of it.
    if (type === 'image/svg+xml')
      headers['Content-Security-Policy'] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    return answering.respond({ status: 200, bytes, headers }, requestId)
  }

  function chosenLanguage(request: HttpRequest, context: HttpContext): PageLanguage {
    const kept = /(?:^|; )gatebook-language=(\w+)(?:;|$)/.exec(request.headers.get('cookie') ?? '')?.[1]
    return asLanguage(kept ?? null) ?? chooseLanguage(context.language ?? null, fallbackLanguage)
  }

  function respond(
    answer: PageAnswer,
    frame: Frame,
    cookiesOfVisitor: readonly string[],
    requestId: string,
  ): HttpResponse {
    const setCookies = [...cookiesOfVisitor, ...(answer.setCookies ?? [])]
    if ('redirect' in answer) {
      return answering.respond({ status: 303, headers: { Location: answer.redirect }, setCookies }, requestId)
    }
    const text = renderPage(frame, answer.page)
    const headers = {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': POLICY,
      Vary: 'Cookie, Accept-Language',
    }
    return answering.respond({ status: answer.status ?? 200, text, headers, setCookies }, requestId)
  }

  async function run(route: PageRoute, request: HttpRequest, url: URL, context: HttpContext): Promise<HttpResponse> {
    const language = chosenLanguage(request, context)
    const texts = PAGE_TEXTS[language]
    const frame: Frame = {
      ...{ language, applicationName: brand.name, hasLogo: logo !== null, stylePath, scriptPath, logoPath },
      // What was posted is not asked for again by its path.
      address: url,
    }
    const begun: PageCall = {
      ...{ gate, settings, cookies: cookies!, headers: request.headers, context, frame, texts },
      ...{ query: url.searchParams, form: {}, claims: null },
    }
    let call = begun
    let kept: readonly string[] = []
    try {
      if (route.method === 'POST') {
        cookies!.checkOrigin(request.headers)
        call = { ...call, form: await readFormBody(request, FORM_LIMIT) }
      }
      const visitor = route.for === 'anybody' ? null : await findVisitor(gate, cookies!, request.headers, context)
      if (visitor !== null) {
        kept = visitor.setCookies
        call = { ...call, claims: visitor.claims }
      } else if (route.for === 'user') {
        const back = route.method === 'GET' ? url.pathname + url.search : PATHS.account
        const redirect = `${PATHS.signIn}?${new URLSearchParams({ return_to: back }).toString()}`
        return respond({ redirect }, frame, [], context.requestId)
      }
      return respond(await route.handle(call), frame, kept, context.requestId)
    } catch (error) {
      return respond(await refused(route, call, error), frame, kept, context.requestId)
    }
  }

  async function refused(route: PageRoute, call: PageCall, error: unknown): Promise<PageAnswer> {
    const { texts, context } = call
    const known = isGatebookError(error) ? error : new GatebookError('ERR_INTERNAL', { cause: error })
    const members = { seconds: known.retryAfterSeconds ?? 60, least: settings.passwordMinLength }
    const told = describeProblem(texts, known.code, members)
    if (told === null && known.status >= 500) {
      diagnostics.error({ request_id: context.requestId, err: error }, 'A page could not be answered.')
    }
    const problem = told ?? texts.failed(context.requestId)
    const canSay = route.refuse !== undefined && (route.for !== 'user' || call.claims !== null)
    try {
      if (canSay) return { status: known.status, page: await route.refuse!(call, problem) }
    } catch {
      // Then the database is away for the page as well.
    }
    return { status: known.status, page: messagePage(call, problem) }
  }

  function dispatch(request: HttpRequest, url: URL, context: HttpContext): Promise<HttpResponse> | HttpResponse | null {
    const asset = assets.get(url.pathname)
    const method = request.method === 'HEAD' ? 'GET' : request.method
    if (asset !== undefined && method === 'GET') return serveAsset(asset, context)
    if (url.pathname === '/' && method === 'GET') {
      return answering.respond({ status: 303, headers: { Location: PATHS.account } }, context.requestId)
    }
    const wanted = asLanguage(url.searchParams.get('lang'))
    const route = routes.get(`${method} ${url.pathname}`)
    if (route === undefined || (route.refusesHead === true && request.method === 'HEAD')) {
      const allowed = ROUTES.filter(({ path }) => path === url.pathname).map((each) => each.method)
      if (allowed.length === 0) return null
      return answering.respond({ status: 405, headers: { Allow: allowed.join(', ') } }, context.requestId)
    }
    if (wanted !== null && method === 'GET') return keepLanguage(wanted, url, context)
    return run(route, request, url, context)
  }

  function keepLanguage(language: PageLanguage, url: URL, { requestId }: HttpContext): HttpResponse {
    url.searchParams.delete('lang')
    const cookie = `gatebook-language=${language}; Path=/; Max-Age=${LANGUAGE_SECONDS}; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`
    const headers = { Location: localPath(url.pathname + url.search) ?? url.pathname }
    return answering.respond({ status: 303, headers, setCookies: [cookie] }, requestId)
  }

  return {
    answer(request, connection) {
      const url = typeof request.url === 'string' ? new URL(request.url) : toUrl(request.url)
      const known = gate.contextOf(request.headers, connection)
      const context = { ...known, requestId: known.requestId ?? generateId('request', settings.clock.now()) }
      const answer = dispatch(request, url, context)
      if (answer === null) return null
      return Promise.resolve(answer).then((response) =>
        request.method === 'HEAD' ? { ...response, body: null } : response,
      )
    },
  }
}

function toUrl({ pathname, search }: { readonly pathname: string; readonly search: string }): URL {
  // Not as a relative one: a path of two slashes would be a host.
  return new URL(`http://localhost${pathname}${search}`)
}

function asLanguage(text: string | null): PageLanguage | null {
  return text !== null && (LANGUAGES as readonly string[]).includes(text) ? (text as PageLanguage) : null
}

function messagePage({ texts }: PageCall, says: string) {
  return {
    title: texts.back,
    body: html`<div class="card"><p class="problem" role="alert">${says}</p><p><a href="${PATHS.account}">${texts.back}</a></p></div>`,
  }
}
