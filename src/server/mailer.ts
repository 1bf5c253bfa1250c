import { GatebookError } from '../errors.ts'
import type { Diagnostics } from '../options.ts'
import type { Config, Environment } from './config.ts'
import { createConsoleMailer } from './mailers/console.ts'
import { createSmtpMailer } from './mailers/smtp.ts'

/** A mail as a person reads it. */
export interface Message {
  /** One address and nothing else. */
  readonly to: string
  readonly subject: string
  readonly text: string
}

export interface Mailer {
  /** Rejects when it was not taken; the library tries again. */
  send(message: Message): Promise<void>
  close(): void
}

export type MailerKind = 'off' | 'console' | 'smtp'

/** What `mailer` means where it is not set. Throws ERR_OPTION_INVALID. */
export function mailerKind({ mailer, smtpUrl, mailFrom }: Config, environment: Environment): MailerKind {
  const production = environment.NODE_ENV === 'production'
  const unset = smtpUrl.value !== null ? 'smtp' : production ? 'off' : 'console'
  const kind = (mailer.value as MailerKind | null) ?? unset
  if (kind === 'console' && production) {
    throw invalid(`${mailer.name}: console prints the tokens of users, and is refused with NODE_ENV=production.`)
  }
  if (kind !== 'smtp') return kind
  if (smtpUrl.value === null) throw invalid(`${smtpUrl.name} is not set, and ${mailer.name} is smtp.`)
  if (mailFrom.value === null) {
    throw invalid(`${mailFrom.name} is not set. Mail needs a sender, e.g. Example <no-reply@example.org>`)
  }
  return kind
}

export interface MailerParts {
  readonly environment: Environment
  readonly diagnostics: Diagnostics
  /** For people: prints to their terminal. Null where lines are read by programs. */
  readonly print: ((text: string) => void) | null
}

/** Null when mail is off. Throws ERR_OPTION_INVALID. */
export async function createMailer(config: Config, parts: MailerParts): Promise<Mailer | null> {
  switch (mailerKind(config, parts.environment)) {
    case 'off':
      return null
    case 'console':
      return createConsoleMailer(parts)
    case 'smtp':
      return createSmtpMailer(config)
  }
}

export function invalid(detail: string, cause?: unknown): GatebookError {
  return new GatebookError('ERR_OPTION_INVALID', { detail, cause })
}
