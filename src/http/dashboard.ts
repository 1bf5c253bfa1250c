import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { GatebookError } from '../errors.ts'
import type { Settings } from '../options.ts'
import type { HeaderReader } from './exchange.ts'
import { isDashboardPath, isOn } from './paths.ts'
import type { Answer } from './route.ts'

type DashboardSettings = Pick<Settings, 'dashboard' | 'adminPath' | 'operationsPath' | 'logPath' | 'cookies' | 'issuer'>

/** The pages for people under `adminPath`. They hold nothing secret: what they show, they ask the API for. */
export interface Dashboard {
  /** Null for a path that is not the dashboard's. Throws ERR_METHOD and ERR_NOT_FOUND. */
  find(method: string, path: string, headers: HeaderReader): Promise<Answer> | null
}

/** Beside the compiler's output; from the sources, what was built last. */
const FOLDERS = ['../dashboard/', '../../dist/dashboard/']

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
}

/** No script, style, picture, form or connection but those of this origin, nothing inline, and in nobody's frame. */
const POLICY = [
  "default-src 'none'",
  ...["script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'", "font-src 'self'"],
  ...["base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"],
].join('; ')

const compress = promisify(gzip)

interface Page {
  readonly content: Buffer
  readonly headers: Readonly<Record<string, string>>
  readonly tag: string
  zipped: Promise<Buffer> | null
}

/** Null where it is off. Throws ERR_OPTION_INVALID where it was not built. */
export function createDashboard(settings: DashboardSettings, folders: readonly string[] = FOLDERS): Dashboard | null {
  const { dashboard, adminPath } = settings
  if (!dashboard || !isOn(adminPath)) return null
  const folder = folders.map((path) => fileURLToPath(new URL(path, import.meta.url))).find((path) => existsSync(path))
  if (folder === undefined) {
    throw new GatebookError('ERR_OPTION_INVALID', { detail: 'dashboard: it has not been built; npm run build does.' })
  }
  // What is not in this list cannot be asked for, whatever is done to a path.
  const assets = new Map(
    readdirSync(`${folder}assets`).map((name) => [`${adminPath}/assets/${name}`, `${folder}assets/${name}`]),
  )
  const read = new Map<string, Page>()
  const index = createPage(
    Buffer.from(fillIndex(readFileSync(`${folder}index.html`, 'utf8'), settings)),
    'html',
    'no-cache',
  )

  function pageOf(path: string): Page {
    if (!path.startsWith(`${adminPath}/assets/`)) return index
    const file = assets.get(path)
    if (file === undefined) throw new GatebookError('ERR_NOT_FOUND')
    const known = read.get(path)
    if (known !== undefined) return known
    // Their names are digests of what is in them.
    const page = createPage(
      readFileSync(file),
      file.slice(file.lastIndexOf('.') + 1),
      'public, max-age=31536000, immutable',
    )
    read.set(path, page)
    return page
  }

  return {
    find(method, path, headers) {
      if (!isDashboardPath(settings, path) || path === `${adminPath}/api` || path.startsWith(`${adminPath}/api/`)) {
        return null
      }
      if (method === 'OPTIONS') return Promise.resolve({ status: 204, headers: { Allow: 'GET, HEAD, OPTIONS' } })
      if (method !== 'GET' && method !== 'HEAD') {
        throw new GatebookError('ERR_METHOD', { members: { allowed: ['GET', 'HEAD', 'OPTIONS'] } })
      }
      return answerWith(pageOf(path), headers)
    },
  }
}

function createPage(content: Buffer, extension: string, caching: string): Page {
  const tag = `W/"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`
  const headers = {
    'Content-Type': TYPES[extension] ?? 'application/octet-stream',
    'Cache-Control': caching,
    'Content-Security-Policy': POLICY,
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    Vary: 'Accept-Encoding',
    ETag: tag,
  }
  return { content, headers, tag, zipped: null }
}

async function answerWith(page: Page, headers: HeaderReader): Promise<Answer> {
  const known = headers.get('if-none-match')?.split(',') ?? []
  if (known.some((tag) => tag.trim() === page.tag)) return { status: 304, headers: page.headers }
  const zips = headers.get('accept-encoding')?.split(',') ?? []
  if (!zips.some((coding) => /^\s*gzip\s*(;\s*q=(1|0\.\d*[1-9]\d*)\s*)?$/i.test(coding))) {
    return { status: 200, bytes: page.content, headers: page.headers }
  }
  page.zipped ??= compress(page.content, { level: 9 })
  return { status: 200, bytes: await page.zipped, headers: { ...page.headers, 'Content-Encoding': 'gzip' } }
}

/** Where the assets are, and what the pages have to know before they can ask: which paths there are, and who keeps tokens. */
function fillIndex(html: string, settings: DashboardSettings): string {
  const { adminPath, operationsPath, logPath, cookies, issuer } = settings
  const surroundings = JSON.stringify({
    admin: adminPath,
    operations: operationsPath,
    log: isOn(logPath) ? logPath : null,
    cookies: cookies === 'off' ? 'off' : /^https:/i.test(issuer) ? 'secure' : 'plain',
  })
  return html
    .replaceAll('="./assets/', `="${adminPath}/assets/`)
    .replace('name="gatebook" content=""', () => `name="gatebook" content="${escapeAttribute(surroundings)}"`)
}

function escapeAttribute(text: string): string {
  return text.replace(/[&"<>]/g, (character) => `&#${character.charCodeAt(0)};`)
}
