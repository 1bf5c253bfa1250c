import type { Command } from 'commander'
import { OPTIONS, type OptionName, type OptionRow } from '../../options.ts'
import {
  databaseLocation,
  firstAdminCommand,
  formatBanner,
  type StartReport,
  secretFileExists,
  secretLocation,
} from '../../server/banner.ts'
import { type Config, type Flags, flagOf, readConfig, requireIssuer, WITHOUT_FLAG } from '../../server/config.ts'
import { parseDatabaseUrl } from '../../server/database-url.ts'
import { createDiagnostics, type DiagnosticsLevel } from '../../server/diagnostics.ts'
import { createMailer, mailerKind } from '../../server/mailer.ts'
import { ownCommand } from '../../server/own-command.ts'
import { handleProcessEnd } from '../../server/process-end.ts'
import { type RunningServer, startServer } from '../../server/serve.ts'
import { readVersion } from '../../server/version.ts'
import { addExample, type CommandContext } from '../command.ts'

export function defineServe(command: Command, context: CommandContext): void {
  command
    .option('--json', 'print one JSON document at the start')
    .optionsGroup('Settings (each has an environment name, too):')
  for (const [name, row] of Object.entries(OPTIONS) as [OptionName, OptionRow][]) {
    if (!WITHOUT_FLAG.has(name)) command.option(`${flagOf(name)} <${row.kind}>`, describe(row))
  }
  addExample(command, 'serve', 'serve --port 8080 --database postgres://app@db.example.org/app')
  command.action(async (flags: Flags & { readonly json?: boolean }) => {
    const { json, ...settings } = flags
    await serve(context, settings, json === true)
  })
}

function describe(row: OptionRow): string {
  const value = row.default === null || String(row.default) === '' ? 'unset' : String(row.default)
  return `${row.about} (${row.env}; default ${value}${row.unit === undefined ? '' : ` ${row.unit}`})`
}

async function serve(context: CommandContext, flags: Flags, json: boolean): Promise<void> {
  const config = readConfig(context.environment, flags)
  const database = parseDatabaseUrl(config.database.value as string, config.database.name)
  const diagnostics = createDiagnostics({
    level: config.diagnosticsLevel.value as DiagnosticsLevel,
    human: process.stderr.isTTY === true,
    write: (line) => void process.stderr.write(line),
  })
  requireIssuer(config, context.environment)
  const mailer = await createMailer(config, {
    environment: context.environment,
    diagnostics,
    print: process.stderr.isTTY === true ? (text) => void process.stderr.write(text) : null,
  })
  const secretWasThere = secretFileExists(config)
  const starting = startServer(config, database, diagnostics, mailer, context.environment)
  // From here on, so that a signal during the start does not leave a half-opened database.
  handleProcessEnd(async () => (await starting).stop(), diagnostics)
  const server = await starting
  const report = await createReport(config, context, server, databaseLocation(config, database), !secretWasThere)
  if (json) context.terminal.json(toJson(report))
  else context.terminal.line(formatBanner(report, fromEnvironment(config)).trimEnd())
}

async function createReport(
  config: Config,
  context: CommandContext,
  server: RunningServer,
  database: string,
  secretMayBeNew: boolean,
): Promise<StartReport> {
  const command = ownCommand({
    script: process.argv[1] ?? 'gatebook',
    folder: process.cwd(),
    environment: context.environment,
  })
  return {
    version: readVersion(),
    url: server.url,
    issuer: server.issuer,
    issuerIsFallback: config.issuer.value === null,
    database,
    secret: secretLocation(config),
    secretMade: secretMayBeNew && secretFileExists(config),
    registration: config.registration.value as string,
    mail: mailerKind(config, context.environment),
    firstAdminCommand: (await server.gate.users.anyoneHasRole('admin')) ? null : firstAdminCommand(command, config),
  }
}

/** The settings that the next command needs, too, and that may not be shown: a URL has a password in it. */
function fromEnvironment({ database, secret, secretFile }: Config): string[] {
  return [database, secret, secretFile]
    .filter(({ source }) => source === 'environment' || source === 'file')
    .map(({ name }) => name)
}

function toJson(report: StartReport): object {
  return {
    version: report.version,
    url: report.url,
    issuer: report.issuer,
    issuer_is_fallback: report.issuerIsFallback,
    database: report.database,
    secret: report.secret,
    secret_made: report.secretMade,
    registration: report.registration,
    mail: report.mail,
    first_admin_command: report.firstAdminCommand,
  }
}
