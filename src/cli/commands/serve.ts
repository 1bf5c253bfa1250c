import type { Command } from 'commander'
import { OPTIONS, type OptionName, type OptionRow } from '../../options.ts'
import {
  databaseLocation,
  firstAdminCommand,
  formatBanner,
  formatDemoBanner,
  logKeyFileExists,
  logKeyLocation,
  type StartReport,
  secretFileExists,
  secretLocation,
} from '../../server/banner.ts'
import { type Config, type Flags, flagOf, readConfig, requireIssuer, WITHOUT_FLAG } from '../../server/config.ts'
import { parseDatabaseUrl } from '../../server/database-url.ts'
import { createDemo, fillDemo, refuseDemo } from '../../server/demo/demo.ts'
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
    .option('--demo', 'show an invented week, in a database that is deleted at the end')
    .optionsGroup('Settings (each has an environment name, too):')
  for (const [name, row] of Object.entries(OPTIONS) as [OptionName, OptionRow][]) {
    if (!WITHOUT_FLAG.has(name)) command.option(`${flagOf(name)} <${row.kind}>`, describe(row))
  }
  addExample(command, 'serve', 'serve --demo', 'serve --port 8080 --database postgres://app@db.example.org/app')
  command.action(async (flags: Flags & { readonly json?: boolean; readonly demo?: boolean }) => {
    const { json, demo, ...settings } = flags
    await serve(context, settings, json === true, demo === true)
  })
}

function describe(row: OptionRow): string {
  const value = row.default === null || String(row.default) === '' ? 'unset' : String(row.default)
  return `${row.about} (${row.env}; default ${value}${row.unit === undefined ? '' : ` ${row.unit}`})`
}

async function serve(context: CommandContext, flags: Flags, json: boolean, wantsDemo: boolean): Promise<void> {
  const given = readConfig(context.environment, flags)
  if (wantsDemo) refuseDemo(given, context.environment.NODE_ENV === 'production')
  const demo = wantsDemo ? createDemo() : null
  // Whatever ends the process.
  if (demo !== null) process.once('exit', () => demo.remove())
  const config = demo === null ? given : readConfig(context.environment, { ...flags, ...demo.flags })
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
  if (demo !== null) {
    context.terminal.note('Playing a week of log-ins …')
    await fillDemo(demo)
  }
  const before = { secret: secretFileExists(config), logKey: logKeyFileExists(config) }
  const starting = startServer(config, database, diagnostics, mailer, context.environment)
  // From here on, so that a signal during the start does not leave a half-opened database.
  handleProcessEnd(async () => (await starting).stop(), diagnostics)
  const server = await starting
  const report = await createReport(config, context, server, databaseLocation(config, database), before)
  if (json) context.terminal.json({ ...toJson(report), ...(demo !== null && { demo_admin: demo.admin }) })
  else if (demo !== null) context.terminal.line(formatDemoBanner(report, demo.admin).trimEnd())
  else context.terminal.line(formatBanner(report, fromEnvironment(config)).trimEnd())
}

async function createReport(
  config: Config,
  context: CommandContext,
  server: RunningServer,
  database: string,
  before: { readonly secret: boolean; readonly logKey: boolean },
): Promise<StartReport> {
  const command = ownCommand({
    script: process.argv[1] ?? 'gatebook',
    folder: process.cwd(),
    environment: context.environment,
  })
  return {
    version: readVersion(),
    url: server.url,
    account: server.account,
    dashboard: server.dashboard,
    issuer: server.issuer,
    issuerIsFallback: config.issuer.value === null,
    database,
    secret: secretLocation(config),
    secretMade: !before.secret && secretFileExists(config),
    logKey: logKeyLocation(config),
    logKeyMade: !before.logKey && logKeyFileExists(config),
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
    account: report.account,
    dashboard: report.dashboard,
    issuer: report.issuer,
    issuer_is_fallback: report.issuerIsFallback,
    database: report.database,
    secret: report.secret,
    secret_made: report.secretMade,
    log_key: report.logKey,
    log_key_made: report.logKeyMade,
    registration: report.registration,
    mail: report.mail,
    first_admin_command: report.firstAdminCommand,
  }
}
