/** The closed table of what an audit can say. A code never changes its meaning; `docs/audit.md` lists the same rows. */

/** `finding`: something does not fit, and nothing in the log explains it. `note`: how far the result can be trusted. */
export type FindingSeverity = 'finding' | 'note'

export interface FindingRow {
  readonly severity: FindingSeverity
  /** For people. */
  readonly sentence: string
  /** What somebody may have done who leaves this behind. */
  readonly attack: string
}

export type FindingCode =
  | 'entry-missing'
  | 'entry-superfluous'
  | 'entry-hash'
  | 'entry-malformed'
  | 'entry-swapped'
  | 'entry-duplicate'
  | 'entry-forged'
  | 'size-differs'
  | 'root-differs'
  | 'log-truncated'
  | 'checkpoint-forged'
  | 'checkpoint-missing'
  | 'guard-forged'
  | 'anchor-forged'
  | 'fork'
  | 'tile-missing'
  | 'tile-differs'
  | 'tile-superfluous'
  | 'event-missing'
  | 'event-differs'
  | 'event-without-entry'
  | 'opening-differs'
  | 'opening-missing'
  | 'queue-forged'
  | 'queue-malformed'
  | 'queue-rejected'
  | 'erasure-forged'
  | 'pruned-without-event'
  | 'key-from-database'
  | 'no-key'
  | 'no-checkpoint'
  | 'guard-unread'
  | 'epoch-restored'
  | 'checkpoint-unlinked'
  | 'not-recorded'

export const AUDIT_FINDINGS: Readonly<Record<FindingCode, FindingRow>> = {
  'entry-missing': {
    severity: 'finding',
    sentence: 'An entry of the log is missing.',
    attack: 'An entry was deleted.',
  },
  'entry-superfluous': {
    severity: 'finding',
    sentence: 'There are entries outside of the log: behind its size, or before where it was pruned.',
    attack: 'Entries were inserted, or the size was set back.',
  },
  'entry-hash': {
    severity: 'finding',
    sentence: 'The leaf hash of an entry is not the hash of its leaf.',
    attack: 'A leaf or a leaf hash was edited.',
  },
  'entry-malformed': {
    severity: 'finding',
    sentence: 'The leaf of an entry is not one that Gatebook writes.',
    attack: 'A leaf was edited or made up.',
  },
  'entry-swapped': {
    severity: 'finding',
    sentence: 'The leaf of an entry is that of another event.',
    attack: 'Entries were swapped, or an entry was given to another event.',
  },
  'entry-duplicate': {
    severity: 'finding',
    sentence: 'One event has several entries.',
    attack: 'An entry was copied.',
  },
  'entry-forged': {
    severity: 'finding',
    sentence: 'An entry that no checkpoint covers carries no MAC of a writer.',
    attack: 'An entry was inserted or edited before it was signed.',
  },
  'size-differs': {
    severity: 'finding',
    sentence: 'The size of the log is not the number of its entries.',
    attack: 'The size was edited, or entries were deleted or inserted at the end.',
  },
  'root-differs': {
    severity: 'finding',
    sentence: 'The entries do not give the root that was signed.',
    attack: 'History was rewritten: entries were edited, inserted, swapped or replaced, and their hashes with them.',
  },
  'log-truncated': {
    severity: 'finding',
    sentence: 'The log is shorter than one that was signed.',
    attack: 'The end of the log was cut off, or the database was rolled back, without a log.epoch event that says so.',
  },
  'checkpoint-forged': {
    severity: 'finding',
    sentence: 'A checkpoint in the database is not one that the log has signed, or not that of its row.',
    attack: 'A row of gatebook_checkpoint was edited or made up.',
  },
  'checkpoint-missing': {
    severity: 'finding',
    sentence: 'The database does not have a checkpoint that was signed.',
    attack: 'A row of gatebook_checkpoint was deleted.',
  },
  'guard-forged': {
    severity: 'finding',
    sentence: 'The guard is not a checkpoint that the log has signed.',
    attack: 'The file of the guard was edited or replaced.',
  },
  'anchor-forged': {
    severity: 'finding',
    sentence: 'A checkpoint in a given file is not one that the log has signed.',
    attack: 'An anchor was edited, belongs to another log, or was signed with another key.',
  },
  fork: {
    severity: 'finding',
    sentence: 'The log has signed two different roots for one size.',
    attack: 'Somebody with the log key shows different people different histories. The two notes prove it to anybody.',
  },
  'tile-missing': {
    severity: 'finding',
    sentence: 'A tile of the tree, or the end of it, is missing.',
    attack: 'A row of gatebook_tile was deleted or cut.',
  },
  'tile-differs': {
    severity: 'finding',
    sentence: 'A tile of the tree is not what the entries give.',
    attack: 'A row of gatebook_tile was edited, e.g. for proofs of a history that did not happen.',
  },
  'tile-superfluous': {
    severity: 'finding',
    sentence: 'There is a tile that the tree does not have, or has beyond its end.',
    attack: 'A row of gatebook_tile was inserted, or entries were cut off.',
  },
  'event-missing': {
    severity: 'finding',
    sentence: 'An event was deleted, and no expiry that the log records explains it.',
    attack: 'A row of gatebook_event was deleted to hide what happened.',
  },
  'event-differs': {
    severity: 'finding',
    sentence: 'A column of an event is not what its entry says.',
    attack: 'A row of gatebook_event was edited.',
  },
  'event-without-entry': {
    severity: 'finding',
    sentence: 'An event stands neither in the log nor in the queue.',
    attack: 'An event was made up, or its entry or queue row was deleted.',
  },
  'opening-differs': {
    severity: 'finding',
    sentence: 'The personal or network data of an event are not those that its entry commits to.',
    attack: 'Whom an event is about, or where it came from, was edited.',
  },
  'opening-missing': {
    severity: 'finding',
    sentence: 'Personal or network data are gone, and no erasure or expiry that the log records explains it.',
    attack: 'Whom an event is about, or where it came from, was removed to hide it.',
  },
  'queue-forged': {
    severity: 'finding',
    sentence: 'A queued event carries no MAC of a writer.',
    attack: 'A row of gatebook_queue was inserted or edited.',
  },
  'queue-malformed': {
    severity: 'finding',
    sentence: 'The leaf of a queued event is not one that Gatebook writes for this event.',
    attack: 'A row of gatebook_queue was made up.',
  },
  'queue-rejected': {
    severity: 'finding',
    sentence: 'A queued event was kept out of the log, because it is not what a writer wrote.',
    attack: 'A row of gatebook_queue was inserted, edited or copied back.',
  },
  'erasure-forged': {
    severity: 'finding',
    sentence:
      'An erasure that is to be gone on with was begun by nobody here, or says that it has taken something else.',
    attack: 'A row of gatebook_erasure was inserted or edited, to have somebody erased or to explain what was emptied.',
  },
  'pruned-without-event': {
    severity: 'finding',
    sentence: 'The oldest entries are gone, and no log.pruned event records it.',
    attack: 'The beginning of the log was cut off.',
  },
  'key-from-database': {
    severity: 'note',
    sentence:
      'The key was taken out of the database that is audited: this finds mistakes, and nobody who can write there.',
    attack: 'Whoever can write to the database can put in a key of their own. Give the verifier key with --key.',
  },
  'no-key': {
    severity: 'note',
    sentence: 'There is no key to verify checkpoints with: they were not looked at.',
    attack: 'Every entry was demanded to carry the MAC of a writer instead.',
  },
  'no-checkpoint': {
    severity: 'note',
    sentence: 'No checkpoint covers anything: a history that was replaced as a whole would not be found.',
    attack: 'Keep checkpoints outside of the machine, and give them with --checkpoint.',
  },
  'guard-unread': {
    severity: 'note',
    sentence: 'The guard could not be read here: that the end was cut off is found only by what is anchored.',
    attack: 'Run the audit where the file logGuard is, or give anchored checkpoints.',
  },
  'epoch-restored': {
    severity: 'note',
    sentence: 'Checkpoints of an earlier epoch are beyond what a restored backup had; the log says so itself.',
    attack: 'Look whether a restore was meant: what came after the backup is lost.',
  },
  'checkpoint-unlinked': {
    severity: 'note',
    sentence:
      'A checkpoint is older than what is left of the log after pruning, and there is no proof that leads from it.',
    attack: 'What was pruned cannot be compared with it any more.',
  },
  'not-recorded': {
    severity: 'note',
    sentence: 'The log did not take the event log.audited.',
    attack: 'It is broken, or the database is read only.',
  },
}
