import type { Command } from 'commander'
import { GatebookError } from '../../errors.ts'
import type { Config } from '../../server/config.ts'
import { findMissingFile } from '../../server/database-file.ts'
import { parseDatabaseUrl } from '../../server/database-url.ts'
import {
  type MigrationStatements,
  migrate,
  migrationScript,
  migrationStatements,
  pendingMigrations,
} from '../../store/migrations/migrate.ts'
import { addCommonFlags, addExample, type CommandContext, type CommonFlags } from '../command.ts'
import type { Terminal } from '../terminal.ts'
import { readCommandConfig } from '../with-gatebook.ts'

interface MigrateFlags extends CommonFlags {
  readonly dryRun?: boolean
  readonly sql?: boolean
}

export function defineMigrate(command: Command, context: CommandContext): void {
  command
    .option('--dry-run', 'list what would be done, and change nothing')
    .option('--sql', 'print what would be done as SQL for psql, mysql or sqlite3, and change nothing')
  addCommonFlags(command)
  addExample(command, 'migrate --dry-run', 'migrate --sql --database mysql://app@db.example.org/app | mysql app')
  command.action(async (flags: MigrateFlags) => {
    if (flags.dryRun === true && flags.sql === true) {
      throw new GatebookError('ERR_USAGE', {
        detail: '--dry-run and --sql are two ways to show the same; give one of the two.',
      })
    }
    const config = readCommandConfig(context, flags)
    const { terminal } = context
    if (flags.sql !== true && flags.dryRun !== true) return run(terminal, config, flags.json === true)
    const pending = await listPending(config)
    if (flags.json === true) terminal.json({ pending })
    else if (flags.sql === true) printSql(terminal, migrationScript(pending))
    else printPending(terminal, pending)
  })
}

/** A SQLite file that is not there is not made by looking at it. */
async function listPending(config: Config): Promise<readonly MigrationStatements[]> {
  if (findMissingFile(config) !== null) return migrationStatements('sqlite')
  return pendingMigrations(parseDatabaseUrl(config.database.value as string, config.database.name))
}

async function run(terminal: Terminal, config: Config, json: boolean): Promise<void> {
  const { applied } = await migrate(parseDatabaseUrl(config.database.value as string, config.database.name))
  if (json) terminal.json({ applied })
  else if (applied.length === 0) terminal.line('The tables are up to date.')
  else for (const name of applied) terminal.line(`applied ${name}`)
}

function printPending(terminal: Terminal, pending: readonly MigrationStatements[]): void {
  if (pending.length === 0) terminal.line('The tables are up to date: nothing to do.')
  for (const { name, statements } of pending) {
    terminal.line(terminal.paint('bold', `${name}: ${statements.length} statements`))
    for (const statement of statements) terminal.line(`\n${indent(statement)}`)
    terminal.line('')
  }
}

function printSql(terminal: Terminal, pending: readonly MigrationStatements[]): void {
  if (pending.length === 0) terminal.line('-- The tables are up to date.')
  for (const { name, statements } of pending) {
    terminal.line(`-- ${name}`)
    for (const statement of statements) terminal.line(`${statement.trimEnd().replace(/;$/, '')};`)
  }
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ')
}
