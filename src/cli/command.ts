import type { Command } from 'commander'
import type { PageOptions, RequestContext } from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { Terminal } from './terminal.ts'

/** Everything that a command is given besides its arguments. */
export interface CommandContext {
  readonly terminal: Terminal
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Adds arguments, flags and the action to an empty command, or a group's commands to the group. */
export type CommandDefinition = (command: Command, context: CommandContext) => void

export interface CommandRow {
  readonly about: string
  /** Called only when this command was typed: nobody waits for the parts of another one to load. */
  readonly load: () => Promise<CommandDefinition>
}

export const COMMANDS: Readonly<Record<string, CommandRow>> = {
  serve: { about: 'Run the server.', load: async () => (await import('./commands/serve.ts')).defineServe },
  migrate: {
    about: 'Bring the tables of the database up to date, or show what that would take.',
    load: async () => (await import('./commands/migrate.ts')).defineMigrate,
  },
  doctor: {
    about: 'Look for what is wrong with the settings, the database and the machine; changes nothing.',
    load: async () => (await import('./commands/doctor.ts')).defineDoctor,
  },
  user: {
    about: 'Add, look at, disable and enable users; passwords and roles.',
    load: async () => (await import('./commands/user.ts')).defineUser,
  },
  invitation: {
    about: 'Invite people to register; look at and revoke invitations.',
    load: async () => (await import('./commands/invitation.ts')).defineInvitation,
  },
  session: {
    about: 'Look at and end sessions; why one has ended.',
    load: async () => (await import('./commands/session.ts')).defineSession,
  },
  key: {
    about: 'Look at, rotate and revoke the keys that sign access tokens.',
    load: async () => (await import('./commands/key.ts')).defineKey,
  },
  client: {
    about: 'Add, look at and revoke the programs that may ask about tokens.',
    load: async () => (await import('./commands/client.ts')).defineClient,
  },
  log: {
    about: 'Read the log: follow, search, show; prove, export, verify, audit. Forget: expire, erase, hold.',
    load: async () => (await import('./commands/log.ts')).defineLog,
  },
}

/** Flags that every command has. */
export interface CommonFlags {
  readonly database?: string
  readonly secretFile?: string
  readonly json?: boolean
}

/** Who does what is done here, as the log names it. */
export const CLI_CONTEXT: RequestContext = { actor: { kind: 'system', id: 'cli' } }

export function addCommonFlags(command: Command): Command {
  return command
    .option(
      '--database <url>',
      'sqlite:PATH, postgres://… or mysql://… (default: GATEBOOK_DATABASE, else sqlite:gatebook.db)',
    )
    .option('--secret-file <path>', 'file with the master secret (default: GATEBOOK_SECRET_FILE, else gatebook.secret)')
    .option('--json', 'print JSON, one value a line')
}

export function addExample(command: Command, ...lines: readonly string[]): Command {
  return command.addHelpText('after', `\nExample:\n${lines.map((line) => `  $ gatebook ${line}`).join('\n')}`)
}

/** For flags that take a whole number. */
export function parseCount(flag: string, low: number, high: number): (text: string) => number {
  return (text) => {
    const count = /^(0|[1-9]\d{0,8})$/.test(text) ? Number(text) : Number.NaN
    if (count >= low && count <= high) return count
    throw new GatebookError('ERR_USAGE', {
      detail: `${flag} takes a whole number from ${low} to ${high}, not ${JSON.stringify(text)}.`,
    })
  }
}

export interface PageFlags {
  readonly limit?: number
  readonly cursor?: string
}

export function addPageFlags(command: Command): Command {
  return command
    .option('--limit <count>', 'how many at most, 1 to 500 (default 50)', parseCount('--limit', 1, 500))
    .option('--cursor <cursor>', 'go on where the last page ended')
}

export function pageOptions({ limit, cursor }: PageFlags): PageOptions {
  return { ...(limit === undefined ? {} : { limit }), ...(cursor === undefined ? {} : { cursor }) }
}
