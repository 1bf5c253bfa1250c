import type { Gatebook } from '../../api.ts'
import { GatebookError } from '../../errors.ts'
import { type Diagnostics, OPTIONS } from '../../options.ts'
import type { Config } from '../config.ts'
import type { MailLanguage } from '../mail-texts.ts'
import { readLogo } from './brand.ts'
import { PATHS } from './page.ts'
import { createPages, type Pages } from './pages.ts'

/** Throws ERR_OPTION_INVALID where pages are asked for and cookies refused. */
export function hasPages({ pages, cookies }: Config): boolean {
  if (pages.value === 'off') return false
  const refused = cookies.source !== 'default' && cookies.value === 'off'
  if (refused && pages.source !== 'default') {
    throw new GatebookError('ERR_OPTION_INVALID', {
      detail: `${pages.name} is on and ${cookies.name} is off: the pages keep their tokens in cookies.`,
    })
  }
  return !refused
}

/** The same configuration with links in mail that lead to the pages, where nobody has named others. */
export function withPageLinks(config: Config, issuer: string): Config {
  const base = issuer.replace(/\/$/, '')
  const link = (name: 'resetUrl' | 'confirmationUrl' | 'invitationUrl', path: string) =>
    config[name].value === null ? { ...config[name], value: base + path } : config[name]
  return {
    ...config,
    resetUrl: link('resetUrl', PATHS.reset),
    confirmationUrl: link('confirmationUrl', PATHS.confirm),
    invitationUrl: link('invitationUrl', PATHS.signUp),
  }
}

/** What of the configuration has to be right before anything is opened. Throws ERR_OPTION_INVALID. */
export function readBrand(config: Config): { readonly color: string; readonly logo: ReturnType<typeof readLogo> } {
  const color = config.brandColor.value as string
  if (!/^#[0-9a-f]{6}$/i.test(color)) {
    throw new GatebookError('ERR_OPTION_INVALID', {
      detail: `${config.brandColor.name} is ${JSON.stringify(color.slice(0, 100))}: it must be a colour like #2f5bd0.`,
    })
  }
  return { color: color.toLowerCase(), logo: readLogo(config.brandLogo.value as string | null, config.brandLogo.name) }
}

export function pagesFromConfig(
  config: Config,
  parts: {
    readonly gate: Gatebook
    readonly issuer: string
    readonly sendsMail: boolean
    readonly brand: ReturnType<typeof readBrand>
    readonly diagnostics: Diagnostics
  },
): Pages {
  const { gate, issuer, sendsMail, brand, diagnostics } = parts
  const number = (name: 'accessTokenSeconds' | 'passwordMinLength') =>
    (config[name].value ?? OPTIONS[name].default) as number
  return createPages({
    gate,
    diagnostics,
    cookieSettings: {
      issuer,
      cookies: config.cookies.value === 'strict' ? 'strict' : 'lax',
      accessTokenSeconds: number('accessTokenSeconds'),
    },
    settings: {
      registration: config.registration.value as 'open' | 'confirm' | 'invite' | 'closed',
      sendsMail,
      passwordMinLength: number('passwordMinLength'),
      clock: { now: Date.now },
    },
    brand: { ...brand, name: (config.applicationName.value as string | null) ?? new URL(issuer).host },
    fallbackLanguage: config.mailLanguage.value as MailLanguage,
  })
}
