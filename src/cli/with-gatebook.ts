import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Gatebook } from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { Diagnostics } from '../options.ts'
import { type Config, inConfigTerms, libraryOptions, readConfig } from '../server/config.ts'
import { findMissingFile } from '../server/database-file.ts'
import { parseDatabaseAddress, parseDatabaseUrl } from '../server/database-url.ts'
import { createMailer, type Mailer, mailerKind } from '../server/mailer.ts'
import { createSenders } from '../server/senders.ts'
import type { CommandContext, CommonFlags } from './command.ts'
import type { Terminal } from './terminal.ts'

/** Tokens are not made here, but the issuer is a setting that has no default. */
const PLACEHOLDER_ISSUER = 'http://localhost:4280'

export interface OpenOptions {
  /** Whether a database that is not there yet is made, with its tables and the secret. */
  readonly create?: boolean
  /** Whether mail can be sent; what waits is sent before the command ends. */
  readonly mail?: boolean
}

/** The settings of a command: its flags, then the environment, then the defaults. */
export function readCommandConfig({ environment }: CommandContext, flags: CommonFlags): Config {
  const { database, secretFile } = flags
  return readConfig(environment, {
    ...(database === undefined ? {} : { database }),
    ...(secretFile === undefined ? {} : { secretFile }),
  })
}

/**
 * Opens the database beside whatever server uses it, does the work and closes everything, so that the process can end.
 * Without `create`, nothing is made by a mistyped path: throws ERR_DATABASE for a SQLite file that is not there,
 * ERR_SECRET_MISSING for a secret that is not there, ERR_MIGRATION for tables that are not up to date.
 */
export async function withGatebook<T>(
  context: CommandContext,
  flags: CommonFlags,
  options: OpenOptions,
  work: (gate: Gatebook) => Promise<T>,
): Promise<T> {
  const config = readCommandConfig(context, flags)
  const create = options.create === true
  refuseMemory(config)
  if (!create) {
    requireDatabaseFile(config)
    requireSecret(config)
  }
  const { createGatebook } = await import('../gatebook.ts')
  const issuer = (config.issuer.value as string | null) ?? PLACEHOLDER_ISSUER
  const notes = createNotes(context.terminal)
  const mailer = options.mail === true ? await openMailer(context, config, notes) : null
  let gate: Gatebook
  try {
    gate = await createGatebook({
      ...libraryOptions(config),
      ...(mailer !== null && createSenders(config, mailer, issuer, Date.now)),
      ...(create ? {} : { autoMigrate: false }),
      attach: true,
      issuer,
      database: parseDatabaseUrl(config.database.value as string, config.database.name),
      diagnostics: notes,
    })
  } catch (error) {
    throw inConfigTerms(error, config)
  }
  try {
    return await work(gate)
  } finally {
    await gate.close()
    mailer?.close()
  }
}

/** The page of the application that takes a token, with the token; null where that page is not configured. */
export function linkTo(
  context: CommandContext,
  flags: CommonFlags,
  page: 'resetUrl' | 'invitationUrl',
  token: string,
): string | null {
  const url = readCommandConfig(context, flags)[page].value as string | null
  return url === null ? null : `${url}#token=${token}`
}

/** Throws ERR_MAIL_UNAVAILABLE when mail would only be printed. */
async function openMailer(
  { environment }: CommandContext,
  config: Config,
  diagnostics: Diagnostics,
): Promise<Mailer | null> {
  if (mailerKind(config, environment) === 'smtp') {
    return createMailer(config, { environment, diagnostics, print: null })
  }
  throw new GatebookError('ERR_MAIL_UNAVAILABLE', { detail: `${config.smtpUrl.name} is not set.` })
}

export function requireDatabaseFile(config: Config): void {
  const path = findMissingFile(config)
  if (path === null) return
  throw new GatebookError('ERR_DATABASE', { detail: `There is no file ${path} (${config.database.name}).` })
}

function refuseMemory(config: Config): void {
  if (parseDatabaseAddress(config.database.value as string).target !== ':memory:') return
  throw new GatebookError('ERR_USAGE', { detail: 'A database in memory would be gone when this command ends.' })
}

/** A secret that is made here would not be the one that the database was set up with. */
function requireSecret(config: Config): void {
  if (config.secret.value !== null || existsSync(config.secretFile.value as string)) return
  const path = resolve(config.secretFile.value as string)
  throw new GatebookError('ERR_SECRET_MISSING', { detail: `There is no file ${path} (${config.secretFile.name}).` })
}

/** What the library remarks, without the formatting of a server's diagnostics. */
function createNotes(terminal: Terminal): Diagnostics {
  return {
    debug() {},
    info() {},
    warn: (_fields, message) => terminal.note(`gatebook: warning: ${message}`),
    error: (_fields, message) => terminal.note(`gatebook: error: ${message}`),
  }
}
