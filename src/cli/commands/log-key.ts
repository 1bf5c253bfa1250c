import type { Command } from 'commander'
import type { RecoveredLog, RecoverOptions, RequestContext } from '../../api.ts'
import { GatebookError } from '../../errors.ts'
import { makeOrigin } from '../../log/log-key.ts'
import { generateLogKey } from '../../proof/note-key.ts'
import { addCommonFlags, addExample, CLI_CONTEXT, type CommandContext, type CommonFlags } from '../command.ts'
import { readCommandConfig, withGatebook } from '../with-gatebook.ts'

const PLACEHOLDER = 'http://localhost:4280'

/** What the log is signed with, and what has to be done when that does not fit the database any more. */
export function defineLogKey(group: Command, context: CommandContext): void {
  const { terminal } = context

  const keygen = group
    .command('keygen')
    .description('Make a key that signs the log: a secret, for GATEBOOK_LOG_KEY_FILE. Changes nothing.')
    .option('--name <origin>', 'the name of the log; by default made from the issuer')
  addExample(addCommonFlags(keygen), 'log keygen > gatebook.log-key')
  keygen.action((flags: CommonFlags & { readonly name?: string }) => {
    const issuer = (readCommandConfig(context, flags).issuer.value as string | null) ?? PLACEHOLDER
    const { signingKey, verifierKey } = generate(flags.name ?? makeOrigin(issuer))
    if (flags.json === true) terminal.json({ log_key: signingKey, verifier_key: verifierKey })
    else {
      terminal.line(signingKey)
      terminal.note(`Whoever verifies the log needs: ${verifierKey}`)
    }
  })

  const adopt = group
    .command('adopt')
    .description('Make a guard in place of one that is lost, when the database was not restored. Reads the whole log.')
  addExample(addCommonFlags(adopt), 'log adopt')
  adopt.action((flags: CommonFlags) =>
    change(flags, (gate) => gate.log.adopt(CLI_CONTEXT)).then((done) => tell(flags, done, 'The guard is there again.')),
  )

  const recover = group
    .command('recover')
    .description('Go on with a database that was restored from a backup: begins a new epoch of the log.')
    .option(
      '--checkpoint <file>',
      'a checkpoint from elsewhere, such as from an anchor, when the guard was restored as well; may be repeated',
      (file, before: readonly string[] = []) => [...before, file],
    )
    .option(
      '--quarantine <file>',
      'take entries out of the log that no writer has made, behind what was signed, and put them into this file',
    )
  addExample(
    addCommonFlags(recover),
    'log recover',
    'log recover --checkpoint anchors',
    'log recover --quarantine evidence.jsonl',
  )
  recover.action(({ checkpoint = [], quarantine, ...flags }: RecoverFlags) => {
    const options = { checkpoints: checkpoint, ...(quarantine !== undefined && { quarantine }) }
    return change(flags, (gate) => gate.log.recover(options, CLI_CONTEXT)).then((done) =>
      tell(flags, done, 'A new epoch has begun.'),
    )
  })

  interface RecoverFlags extends CommonFlags {
    readonly checkpoint?: readonly string[]
    readonly quarantine?: string
  }

  interface Recovering {
    readonly log: {
      adopt(context: RequestContext): Promise<RecoveredLog>
      recover(options: RecoverOptions, context: RequestContext): Promise<RecoveredLog>
    }
  }

  function change(flags: CommonFlags, work: (gate: Recovering) => Promise<RecoveredLog>): Promise<RecoveredLog> {
    return withGatebook(context, flags, {}, work)
  }

  function tell(flags: CommonFlags, { previousSize, ...done }: RecoveredLog, sentence: string): void {
    if (flags.json === true) return void terminal.json({ ...done, previous_size: previousSize })
    const { epoch, size, quarantined, missing } = done
    terminal.line(`${sentence} Epoch ${epoch}, ${size} entries.`)
    if (quarantined !== undefined) {
      terminal.line(`${quarantined} entries were put into the file, and ${missing} places had no entry.`)
    }
    if (previousSize !== null && previousSize > size) {
      terminal.line(`${previousSize - size} entries that had been signed are lost; the event log.epoch says so.`)
    }
  }
}

function generate(name: string): ReturnType<typeof generateLogKey> {
  try {
    return generateLogKey(name)
  } catch (cause) {
    throw new GatebookError('ERR_USAGE', { cause, detail: '--name must not have white space or a plus sign in it.' })
  }
}
