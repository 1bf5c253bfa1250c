#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import { readVersion } from '../server/version.ts'
import { COMMANDS, type CommandContext } from './command.ts'
import { describeProblem } from './problem.ts'
import { silenceSqliteWarning } from './silence-sqlite-warning.ts'
import { createTerminal } from './terminal.ts'

silenceSqliteWarning()
await main(process.argv.slice(2))

/** Sets the exit status and returns; the process ends by itself when nothing is left to do. */
async function main(typed: readonly string[]): Promise<void> {
  // `help user add` asks for the help of a command that would not be loaded yet.
  const words = typed[0] === 'help' ? [...typed.slice(1), '--help'] : typed
  const context: CommandContext = {
    terminal: createTerminal(process.stdout, process.stderr, process.env),
    environment: process.env,
  }
  const program = createProgram()
  try {
    const row = Object.hasOwn(COMMANDS, words[0] ?? '') ? COMMANDS[words[0] as string] : undefined
    const command = program.commands.find((candidate) => candidate.name() === words[0])
    if (row !== undefined && command !== undefined) (await row.load())(command, context)
    await program.parseAsync(words, { from: 'user' })
  } catch (error) {
    if (isAnswered(error)) return
    const { status, text } = describeProblem(error, nameOf(program, words), words.includes('--json'))
    process.exitCode = status
    process.stderr.write(text)
  }
}

function createProgram(): Command {
  const program = new Command('gatebook')
    .description('Sign-in for web applications, with a log that can be trusted.')
    .version(readVersion(), '--version', 'print the version')
    .helpOption('--help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .showSuggestionAfterError(true)
    .exitOverride()
    // Errors are printed in one place, in one form.
    .configureOutput({ outputError: () => {} })
    .addHelpText(
      'after',
      '\nExample:\n  $ gatebook serve\n  $ gatebook log tail -f\n\nExit status: 0 success, 1 a finding or refusal, 2 wrong use, 3 could not run.',
    )
  for (const [name, { about }] of Object.entries(COMMANDS)) program.command(name).description(about)
  return program
}

/** Help and version end the parsing with an error, too. A group without a command prints its help, and is wrong use. */
function isAnswered(error: unknown): boolean {
  if (!(error instanceof CommanderError)) return false
  if (error.code === 'commander.help') process.exitCode = 2
  return ['commander.helpDisplayed', 'commander.version', 'commander.help'].includes(error.code)
}

/** `gatebook user add`, as far as the words name commands. */
function nameOf(program: Command, words: readonly string[]): string {
  const names = [program.name()]
  let at: Command | undefined = program
  for (const word of words) {
    at = at.commands.find((candidate) => candidate.name() === word)
    if (at === undefined) break
    names.push(word)
  }
  return names.join(' ')
}
