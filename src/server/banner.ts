import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Dialect } from '../store/dialect.ts'
import type { Config } from './config.ts'
import { parseDatabaseAddress } from './database-url.ts'
import type { MailerKind } from './mailer.ts'
import { quoteForShell } from './own-command.ts'

/** What the person who starts the server needs to know; `--json` prints these members. */
export interface StartReport {
  readonly version: string
  readonly url: string
  readonly account: string | null
  readonly dashboard: string | null
  readonly issuer: string
  readonly issuerIsFallback: boolean
  readonly database: string
  /** Absolute path, or the name of the setting that holds the secret. */
  readonly secret: string
  readonly secretMade: boolean
  /** The same of the key that signs the log; null where this process does not sign. */
  readonly logKey: string | null
  readonly logKeyMade: boolean
  readonly registration: string
  readonly mail: MailerKind
  /** Null once there is an admin. */
  readonly firstAdminCommand: string | null
}

/** `sqlite:` with an absolute path, since what a path is relative to is not seen in a terminal. */
export function databaseLocation(config: Config, database: Dialect): string {
  const { engine, target } = parseDatabaseAddress(config.database.value as string)
  return engine === 'sqlite' && target !== ':memory:' ? `sqlite:${resolve(target)}` : database.location
}

/** Whether the file with the secret is there; asked before and after a start, it tells whether that start made it. */
export function secretFileExists(config: Config): boolean {
  return config.secret.value === null && existsSync(config.secretFile.value as string)
}

export function secretLocation(config: Config): string {
  return config.secret.value === null ? resolve(config.secretFile.value as string) : config.secret.name
}

export function logKeyFileExists(config: Config): boolean {
  return config.logKey.value === null && existsSync(config.logKeyFile.value as string)
}

export function logKeyLocation(config: Config): string | null {
  if (config.logSigning.value === 'off') return null
  return config.logKey.value === null ? resolve(config.logKeyFile.value as string) : config.logKey.name
}

/** The command with what was given to `serve` by flag: it must find the same database and the same secret. */
export function firstAdminCommand(command: string, config: Config): string {
  const flags = [config.database, config.secretFile]
    .filter(({ source }) => source === 'flag')
    .map(({ name, value }) => ` ${name} ${quoteForShell(value as string)}`)
  return `${command} user add --admin you@example.org${flags.join('')}`
}

const REGISTRATION: Readonly<Record<string, string>> = {
  open: 'open: anybody may register (GATEBOOK_REGISTRATION=closed ends that)',
  confirm: 'confirm: anybody who reads the mail to their address',
  invite: 'invite: holders of an invitation (gatebook invitation add)',
  closed: 'closed: gatebook user add makes users',
}

const MAIL: Readonly<Record<MailerKind, string>> = {
  off: 'off: nobody can ask for a new password (GATEBOOK_SMTP_URL sends mail)',
  console: 'printed here, since GATEBOOK_SMTP_URL is not set',
  smtp: 'sent by SMTP',
}

export function formatBanner(report: StartReport, fromEnvironment: readonly string[]): string {
  const lines = [
    `Gatebook ${report.version} listens on ${report.url}`,
    ...(report.account === null ? [] : [`  account       ${report.account}`]),
    ...(report.dashboard === null ? [] : [`  dashboard     ${report.dashboard} (for admins)`]),
    `  database      ${report.database}`,
    `  secret        ${report.secret}${report.secretMade ? ' (just made; keep a copy apart from the database)' : ''}`,
    `  log key       ${report.logKey ?? 'none: another process signs the log'}${report.logKeyMade ? ' (just made; signs the log)' : ''}`,
    `  issuer        ${report.issuer}${report.issuerIsFallback ? ' (where this server listens, since GATEBOOK_ISSUER is not set)' : ''}`,
    `  registration  ${REGISTRATION[report.registration] ?? report.registration}`,
    `  mail          ${MAIL[report.mail]}`,
  ]
  if (report.firstAdminCommand !== null) {
    const environment = fromEnvironment.length === 0 ? '' : ` and with the same ${fromEnvironment.join(', ')}`
    lines.push(
      '',
      `There is no admin yet. In another terminal, in this folder${environment}, make one (it asks for a password):`,
      '',
      `    ${report.firstAdminCommand}`,
      '',
    )
  }
  return `${lines.join('\n')}\n`
}

/** Where to look, and as whom. */
export function formatDemoBanner(
  { version, url }: Pick<StartReport, 'version' | 'url'>,
  admin: { readonly identifier: string; readonly password: string },
): string {
  return `Gatebook ${version} shows a week of an invented application. All of it is deleted when the server ends.

  dashboard     ${url}/admin
  as            ${admin.identifier}
  password      ${admin.password}

  One night somebody tried passwords on everybody: search for  ip:198.51.100.0/24
  One of them was right, and its owner noticed:                user page of otter@demo.example
  Notes in the log say where that begins and ends:             type:app.demo.note
`
}
