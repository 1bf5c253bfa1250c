import { isIP } from 'node:net'
import type { Config } from '../config.ts'
import { invalid, type Mailer } from '../mailer.ts'

const TIMEOUTS = { connectionTimeout: 10_000, greetingTimeout: 10_000, socketTimeout: 30_000 }

export interface SmtpMailer extends Mailer {
  /** Connects and logs in; sends nothing. */
  verify(): Promise<void>
}

/** Through a mail server, over one connection that is kept for a while. Throws ERR_OPTION_INVALID; connects to nobody yet. */
export async function createSmtpMailer({ smtpUrl, mailFrom }: Config): Promise<SmtpMailer> {
  const url = parseSmtpUrl(smtpUrl.value as string, smtpUrl.name)
  const from = parseSender(mailFrom.value as string, mailFrom.name)
  // Loaded by those who send mail, and by nobody else.
  const { createTransport } = await import('nodemailer')
  const transport = createTransport(
    {
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: Number(url.port) || (url.protocol === 'smtps:' ? 465 : 587),
      secure: url.protocol === 'smtps:',
      requireTLS: url.searchParams.get('requireTLS') !== 'false' && !isLoopback(url.hostname),
      ...(url.username !== '' && {
        auth: { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) },
      }),
      pool: true,
      maxConnections: 1,
      ...TIMEOUTS,
      disableFileAccess: true,
      disableUrlAccess: true,
    },
    { from, headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' } },
  )
  return {
    async send({ to, subject, text }) {
      // As an object, so that it is one address however it looks.
      await transport.sendMail({ to: { name: '', address: to }, subject, text })
    },
    async verify() {
      await transport.verify()
    },
    close: () => transport.close(),
  }
}

/** The value is never repeated: it holds a password. */
function parseSmtpUrl(text: string, setting: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  const strange = [...(url?.searchParams.keys() ?? [])].filter((name) => name !== 'requireTLS')
  const plain = url !== null && ['', '/'].includes(url.pathname) && url.hash === '' && strange.length === 0
  if (url === null || !plain || !/^smtps?:$/.test(url.protocol) || url.hostname === '') {
    throw invalid(`${setting} must be smtps://USER:PASSWORD@HOST or smtp://USER:PASSWORD@HOST:PORT.`)
  }
  return url
}

function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '')
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

const SENDER = /^(?:([^<>@,;:"\\\p{Cc}]{0,100}) )?<?([^<>@\s",;]{1,64}@[^<>@\s",;]{1,255})>?$/u

function parseSender(text: string, setting: string): { readonly name: string; readonly address: string } {
  const match = SENDER.exec(text.trim())
  if (match === null) throw invalid(`${setting} must be one address, e.g. Example <no-reply@example.org>`)
  return { name: match[1]?.trim() ?? '', address: match[2]! }
}
