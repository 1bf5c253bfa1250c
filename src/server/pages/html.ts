import { html, raw } from 'hono/html'
import { PAGE_TEXTS, type PageLanguage } from './texts.ts'

/** Text in which nothing that was put in can be markup. */
export type Html = ReturnType<typeof html>

export { html }

export const LANGUAGES = Object.keys(PAGE_TEXTS) as readonly PageLanguage[]

/** What every page has around it. */
export interface Frame {
  readonly language: PageLanguage
  readonly applicationName: string
  readonly hasLogo: boolean
  readonly stylePath: string
  readonly scriptPath: string
  readonly logoPath: string
  /** Path and query of this page, for the links of the other languages. */
  readonly address: URL
}

export interface PageContent {
  readonly title: string
  readonly body: Html
  readonly wide?: boolean
  /** Where the browser goes on to by itself. MUST be a path of this site. */
  readonly goTo?: string
  /** Beside the name of the application. */
  readonly aside?: Html
}

export function renderPage(frame: Frame, { title, body, wide = false, goTo, aside }: PageContent): string {
  const { language, applicationName, stylePath, scriptPath } = frame
  const page = html`${raw('<!doctype html>')}
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
${
  goTo === undefined
    ? ''
    : html`<meta http-equiv="refresh" content="0;url=${goTo}">
`
}<title>${title} · ${applicationName}</title>
<link rel="stylesheet" href="${stylePath}">
<script src="${scriptPath}" defer></script>
</head>
<body>
<main class="${wide ? 'wide' : 'narrow'}">
<div class="top"><p class="brand">${mark(frame)}</p>${aside ?? ''}</div>
${body}
</main>
<footer><nav aria-label="${language === 'ko' ? '언어' : 'Language'}">${LANGUAGES.map((other) => languageLink(frame, other))}</nav></footer>
</body>
</html>
`
  return String(page)
}

function mark({ hasLogo, logoPath, applicationName }: Frame): Html {
  return hasLogo ? html`<img src="${logoPath}" alt="${applicationName}">` : html`<span>${applicationName}</span>`
}

function languageLink({ address, language }: Frame, other: PageLanguage): Html {
  const name = PAGE_TEXTS[other].language
  if (other === language) return html`<span lang="${other}" aria-current="true">${name}</span> `
  const query = new URLSearchParams(address.search)
  query.set('lang', other)
  return html`<a lang="${other}" hreflang="${other}" href="${address.pathname}?${query.toString()}">${name}</a> `
}

export function problemBox(text: string | null): Html {
  return text === null ? html`` : html`<p class="problem" role="alert">${text}</p>`
}

export function noticeBox(text: string | null): Html {
  return text === null ? html`` : html`<p class="notice" role="status">${text}</p>`
}

interface FieldOptions {
  readonly name: string
  readonly label: string
  readonly type: 'text' | 'email' | 'password'
  readonly autocomplete: string
  readonly value?: string
  readonly hint?: string
  /** Filled from behind the hash of the address where scripts run. */
  readonly fromHash?: boolean
  readonly minLength?: number
}

export function field({ name, label, type, autocomplete, value = '', hint, fromHash, minLength }: FieldOptions): Html {
  const id = `field-${name}`
  const described = hint === undefined ? '' : html` aria-describedby="${id}-hint"`
  const hash = fromHash === true ? html` data-from-hash` : ''
  const least = minLength === undefined ? '' : html` minlength="${minLength}"`
  return html`<div data-field>
<label for="${id}">${label}</label>
<input id="${id}" name="${name}" type="${type}" autocomplete="${autocomplete}" value="${value}" required autocapitalize="none" spellcheck="false"${least}${described}${hash}>
${hint === undefined ? '' : html`<p class="hint" id="${id}-hint">${hint}</p>`}
</div>`
}

/** A time that a script makes local; without one, in words that are true in every time zone. */
export function timeOf(at: number, now: number, language: PageLanguage): Html {
  return html`<time datetime="${new Date(at).toISOString()}">${relativeTime(at - now, language)}</time>`
}

const STEPS: readonly [milliseconds: number, unit: Intl.RelativeTimeFormatUnit][] = [
  [86_400_000, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
]

export function relativeTime(difference: number, language: PageLanguage): string {
  const [size, unit] = STEPS.find(([size]) => Math.abs(difference) >= size) ?? [1000, 'second']
  return new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(Math.trunc(difference / size), unit)
}
