import { GatebookError } from '../errors.ts'

/** Why nothing is signed: what is in the database does not extend what was signed before. */
export type Divergence =
  | 'rolled-back'
  | 'rewritten'
  | 'forged'
  | 'gap'
  | 'guard-invalid'
  | 'guard-gone'
  | 'guard-rolled-back'
  | 'checkpoint-forged'

/** One sentence each, for whoever has to find out what has happened. */
const SENTENCES: Readonly<Record<Divergence, string>> = {
  'rolled-back': 'The log in the database is shorter than the one that was signed.',
  rewritten: 'The entries in the database do not give the root that was signed.',
  forged: 'An entry of the log carries no MAC of a writer of this installation, or is not what its MAC was made for.',
  gap: 'The log in the database has a gap, or its size is not the number of its entries.',
  'guard-invalid': 'The guard is not a checkpoint of this log that its key has signed.',
  'guard-gone': 'The guard has disappeared.',
  'guard-rolled-back': 'The guard is older than what was signed.',
  'checkpoint-forged': 'The newest checkpoint in the database is not one that the log has signed.',
}

const RESTORED =
  'If a backup was restored, run gatebook log recover. Otherwise look for whoever can write to the database, and run gatebook log audit; then restore a backup, or go on with what is left by gatebook log recover --quarantine FILE --checkpoint FILE.'
const INTRUDER =
  'Look for whoever can write to the database, and run gatebook log audit, which names the entries. Then run gatebook log recover --quarantine FILE, which takes out what no writer has made.'

const ADVICE: Readonly<Record<Divergence, string>> = {
  'rolled-back': RESTORED,
  rewritten: RESTORED,
  forged: INTRUDER,
  gap: INTRUDER,
  'guard-invalid': 'Put the right file, or the right key, in its place; or move it away and run gatebook log adopt.',
  'guard-gone': 'Bring it back; when it is lost for good and the database was not restored, run gatebook log adopt.',
  'guard-rolled-back':
    'Bring back the newer one. If a backup of both was restored on purpose, stop this process, run gatebook log recover --checkpoint with a newer checkpoint that an anchor has, and start it again. After gatebook log adopt, start it again.',
  'checkpoint-forged':
    'Somebody has written it there. Run gatebook log audit, and remove that row from gatebook_checkpoint.',
}

/** ERR_LOG_DIVERGED; `members.divergence` says which. */
export function diverged(divergence: Divergence, detail: string): GatebookError {
  return new GatebookError('ERR_LOG_DIVERGED', {
    members: { divergence },
    detail: `${SENTENCES[divergence]} ${detail} Log-ins go on, and their events are kept, but no checkpoint is signed. ${ADVICE[divergence]}`,
  })
}
