import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'

export interface ReceivedMail {
  readonly from: string
  readonly to: readonly string[]
  /** Header and body as they came over the wire. */
  readonly raw: string
  readonly headers: Readonly<Record<string, string>>
  /** Decoded. */
  readonly text: string
}

export interface SmtpOptions {
  /** Answers of the server to the first mails, e.g. `451 try later`; after them, mail is taken. */
  readonly refusals?: readonly { readonly code: number; readonly message: string }[]
  readonly user?: { readonly name: string; readonly password: string }
}

export interface RunningSmtp {
  readonly port: number
  readonly mails: readonly ReceivedMail[]
  /** How many were begun, those that were refused included. */
  readonly attempts: () => number
  stop(): Promise<void>
}

/** A real mail server on the loopback interface, which keeps what it is given. */
export async function startSmtp({ refusals = [], user }: SmtpOptions = {}): Promise<RunningSmtp> {
  const mails: ReceivedMail[] = []
  let attempts = 0
  const server = new SMTPServer({
    hideSTARTTLS: true,
    authOptional: user === undefined,
    allowInsecureAuth: true,
    onAuth({ username, password }, _session, done) {
      if (username === user?.name && password === user?.password) done(null, { user: username })
      else done(new Error('535 no'))
    },
    onData(stream, session, done) {
      const refusal = refusals[attempts]
      attempts += 1
      const parts: Buffer[] = []
      stream.on('data', (part: Buffer) => parts.push(part))
      stream.on('end', () => {
        if (refusal !== undefined) {
          done(Object.assign(new Error(refusal.message), { responseCode: refusal.code }))
          return
        }
        const raw = Buffer.concat(parts).toString('utf8')
        const { mailFrom, rcptTo } = session.envelope
        mails.push({
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          raw,
          ...parse(raw),
        })
        done()
      })
    },
  })
  server.on('error', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  return {
    port: (server.server.address() as AddressInfo).port,
    mails,
    attempts: () => attempts,
    stop: () => new Promise((resolve) => server.close(resolve)),
  }
}

function parse(raw: string): Pick<ReceivedMail, 'headers' | 'text'> {
  const at = raw.indexOf('\r\n\r\n')
  const lines = raw
    .slice(0, at)
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), decodeWords(line.slice(colon + 1).trim())]
    }),
  )
  return { headers, text: decodeBody(raw.slice(at + 4), headers['content-transfer-encoding']) }
}

/** RFC 2047. */
function decodeWords(text: string): string {
  return text.replace(/=\?utf-8\?([bq])\?([^?]*)\?=(\s+(?==\?))?/gi, (_, how: string, word: string) =>
    how.toLowerCase() === 'b' ? Buffer.from(word, 'base64').toString('utf8') : decodeQuoted(word.replaceAll('_', ' ')),
  )
}

function decodeBody(body: string, encoding = '7bit'): string {
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString('utf8')
  const text = encoding === 'quoted-printable' ? decodeQuoted(body.replace(/=\r\n/g, '')) : body
  return text.replaceAll('\r\n', '\n')
}

function decodeQuoted(text: string): string {
  const bytes = text.replace(/=([0-9A-F]{2})/gi, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  )
  return Buffer.from(bytes, 'latin1').toString('utf8')
}
