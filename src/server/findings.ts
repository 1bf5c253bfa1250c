/** How bad a finding is. `note`: worth knowing; `warning`: sooner or later something goes wrong; `problem`: it does now. */
export type FindingLevel = 'ok' | 'note' | 'warning' | 'problem'

export interface FindingRow {
  readonly level: FindingLevel
  /** What was found. Figures are told beside it, and no name, address, path or secret ever is. */
  readonly says: string
  readonly todo: string
}

/** The closed table of what `gatebook doctor` can find. `docs/doctor.md` lists the same rows. */
export const FINDINGS: Readonly<Record<FindingCode, FindingRow>> = {
  'secret-ok': { level: 'ok', says: 'The master secret is there, and is the one of this database.', todo: '' },
  'secret-missing': {
    level: 'problem',
    says: 'There is no master secret.',
    todo: 'Set GATEBOOK_SECRET_FILE or GATEBOOK_SECRET, or restore the file; a new secret cannot replace the one of a database.',
  },
  'secret-new': {
    level: 'note',
    says: 'There is no master secret yet; the first start makes one.',
    todo: 'For production, make one: openssl rand -base64 32',
  },
  'secret-weak': {
    level: 'problem',
    says: 'The master secret is too short or well known.',
    todo: 'Make one: openssl rand -base64 32',
  },
  'secret-other': {
    level: 'problem',
    says: 'The master secret is not the one that this database was set up with.',
    todo: 'Find the right one; with another, everybody is logged out and the signing keys cannot be read.',
  },
  'secret-readable': {
    level: 'warning',
    says: 'Other accounts of this machine can read the file with the master secret.',
    todo: 'chmod 600 on the file.',
  },
  'database-ok': { level: 'ok', says: 'The database answers.', todo: '' },
  'database-unreachable': {
    level: 'problem',
    says: 'The database does not answer.',
    todo: 'See GATEBOOK_DATABASE, the server, the account and the way there.',
  },
  'database-missing': {
    level: 'note',
    says: 'The SQLite file is not there yet; the first start makes it.',
    todo: 'If there should be one, see GATEBOOK_DATABASE and the folder.',
  },
  'clock-ok': { level: 'ok', says: 'The clocks of this machine and of the database agree.', todo: '' },
  'clock-same': { level: 'ok', says: 'SQLite has no clock but the one of this machine.', todo: '' },
  'clock-drifts': {
    level: 'note',
    says: 'The clocks of this machine and of the database differ by more than a second.',
    todo: 'Run an NTP client on both, before it becomes more.',
  },
  'clock-off': {
    level: 'warning',
    says: 'The clocks of this machine and of the database differ by more than 5 s.',
    todo: 'Run an NTP client on both; tokens and limits go by the clocks of the processes.',
  },
  'clock-far-off': {
    level: 'problem',
    says: 'The clocks of this machine and of the database differ by more than 30 s.',
    todo: 'Run an NTP client on both; with more than 60 s, ended sessions come back to life in other processes.',
  },
  'tables-ok': { level: 'ok', says: 'The tables, columns and indexes are those of this version.', todo: '' },
  'tables-none': {
    level: 'note',
    says: 'There are no tables yet.',
    todo: 'gatebook migrate, or the first start, makes them.',
  },
  'migrations-pending': {
    level: 'warning',
    says: 'Migrations of this version have not been applied.',
    todo: 'gatebook migrate, or a start with autoMigrate.',
  },
  'migrations-newer': {
    level: 'problem',
    says: 'The database has migrations that this version does not know.',
    todo: 'Run the version that made them; an older one must not write.',
  },
  'columns-missing': {
    level: 'problem',
    says: 'Columns that this version needs are not there.',
    todo: 'Somebody has changed the tables: compare with gatebook migrate --sql.',
  },
  'indexes-missing': {
    level: 'warning',
    says: 'Indexes are not there: look-ups read whole tables.',
    todo: 'Make them as gatebook migrate --sql shows.',
  },
  'uniques-missing': {
    level: 'problem',
    says: 'Columns that must be unique are not: one name can be given to two users.',
    todo: 'Make the keys as gatebook migrate --sql shows; rows that stand twice have to go first.',
  },
  'storage-wrong': {
    level: 'problem',
    says: 'Tables have no transactions (not InnoDB), or texts are not compared byte by byte.',
    todo: 'ALTER them to what gatebook migrate --sql shows.',
  },
  'views-ok': { level: 'ok', says: 'The views for SQL are as this version makes them.', todo: '' },
  'views-missing': {
    level: 'note',
    says: 'A view for SQL is not there.',
    todo: 'The next start makes it, unless the account may not: GRANT CREATE VIEW.',
  },
  'views-foreign': {
    level: 'note',
    says: 'Something that was not made here has the name of a view, and is left alone.',
    todo: 'Choose another name: GATEBOOK_USER_LOGS_VIEW, GATEBOOK_USER_LOG_EVENTS_VIEW.',
  },
  'views-outdated': {
    level: 'note',
    says: 'A view for SQL is of another version or setting.',
    todo: 'The next start makes it anew.',
  },
  'hash-ok': { level: 'ok', says: 'A password hash takes as long as it should.', todo: '' },
  'hash-cheap': {
    level: 'warning',
    says: 'The parameters of Argon2id are below those of OWASP (19 MiB, 2 passes).',
    todo: 'Leave GATEBOOK_ARGON2_MEMORY_KIB and GATEBOOK_ARGON2_ITERATIONS out.',
  },
  'hash-slow': {
    level: 'warning',
    says: 'A password hash takes more than a second.',
    todo: 'Lower GATEBOOK_ARGON2_MEMORY_KIB or _ITERATIONS, or give the machine more.',
  },
  'hash-memory': {
    level: 'warning',
    says: 'As many hashes as may run at once take more than half of the memory that is free.',
    todo: 'Lower GATEBOOK_HASH_CONCURRENCY or GATEBOOK_ARGON2_MEMORY_KIB.',
  },
  'sequencer-ok': { level: 'ok', says: 'Events get their place in the log in time.', todo: '' },
  'sequencer-idle': {
    level: 'warning',
    says: 'Events have waited for their place in the log for more than a minute.',
    todo: 'Start a server or an application on this database; if one runs, see its diagnostics.',
  },
  'events-rejected': {
    level: 'problem',
    says: 'Events in the queue carry no valid MAC, and are kept out of the log.',
    todo: 'Somebody has written to gatebook_queue, or a process has another secret: look at the rows with rejected_at.',
  },
  'log-ok': { level: 'ok', says: 'The log is signed.', todo: '' },
  'log-key-missing': {
    level: 'problem',
    says: 'The log is signed with a key that is not here.',
    todo: 'Restore GATEBOOK_LOG_KEY_FILE, or set GATEBOOK_LOG_SIGNING=off where another process signs.',
  },
  'log-key-readable': {
    level: 'warning',
    says: 'Other accounts of this machine can read the file with the key of the log.',
    todo: 'chmod 600 on the file.',
  },
  'log-guard-missing': {
    level: 'problem',
    says: 'The guard of the log is missing: no server starts here.',
    todo: 'Restore GATEBOOK_LOG_GUARD, or run gatebook log adopt when it is lost and no backup was restored.',
  },
  'log-checkpoint-forged': {
    level: 'problem',
    says: 'The newest checkpoint in the database is not one that the log has signed.',
    todo: 'Look for whoever can write to the database, run gatebook log audit, and remove the row from gatebook_checkpoint.',
  },
  'log-unsigned': {
    level: 'problem',
    says: 'The log has had entries for more than a minute that no checkpoint covers.',
    todo: 'Start a server that has the key; if one runs, its diagnostics say why it does not sign (docs/log-key.md).',
  },
  'disk-ok': { level: 'ok', says: 'There is room where the database is.', todo: '' },
  'disk-low': { level: 'warning', says: 'Less than 1 GiB is free where the database is.', todo: 'Make room.' },
  'disk-full': { level: 'problem', says: 'Less than 50 MiB are free where the database is.', todo: 'Make room.' },
  'wal-large': {
    level: 'note',
    says: 'The write-ahead log of the SQLite file has more than 256 MiB: a long read held it up, or one transaction was large.',
    todo: 'End long reads (a backup, an open shell); then PRAGMA wal_checkpoint(TRUNCATE) makes it small again.',
  },
  'disk-unseen': { level: 'ok', says: 'The disk of a database server cannot be seen from here.', todo: '' },
  'issuer-ok': { level: 'ok', says: 'The issuer is a public https URL, or this machine.', todo: '' },
  'issuer-unset': {
    level: 'note',
    says: 'GATEBOOK_ISSUER is not set: tokens name the address that the server listens on.',
    todo: 'Set it to the public URL; with NODE_ENV=production the server does not start without.',
  },
  'issuer-plain': { level: 'warning', says: 'The issuer is an http URL of another machine.', todo: 'Use https.' },
  'issuer-local': {
    level: 'warning',
    says: 'The issuer is this machine, and NODE_ENV is production.',
    todo: 'Set GATEBOOK_ISSUER to the public URL.',
  },
  'cors-plain': {
    level: 'warning',
    says: 'Pages of an http origin may call the API, and the issuer is https.',
    todo: 'Take it out of GATEBOOK_CORS_ORIGINS.',
  },
  'proxies-ok': { level: 'ok', says: 'The addresses of the last log-ins come from where they should.', todo: '' },
  'proxies-everybody': {
    level: 'problem',
    says: 'Everybody is a trusted proxy: whoever calls chooses the address that is recorded.',
    todo: 'List the proxies in GATEBOOK_TRUSTED_PROXIES, and nobody else.',
  },
  'proxies-counted': {
    level: 'note',
    says: 'Proxies are counted, not named: whoever reaches the process past them chooses the address.',
    todo: 'Name them, or see that nobody can.',
  },
  'proxies-ignored': {
    level: 'warning',
    says: 'Log-ins came with a forwarding header that did not count: they are recorded, and throttled, as one address.',
    todo: 'Name the proxy in GATEBOOK_TRUSTED_PROXIES.',
  },
  'proxies-one-address': {
    level: 'warning',
    says: 'All of the last log-ins come from one private address: they are throttled as one.',
    todo: 'If that is a proxy, make it send X-Forwarded-For and name it in GATEBOOK_TRUSTED_PROXIES.',
  },
  'mail-ok': { level: 'ok', says: 'The mail server answers.', todo: '' },
  'mail-off': {
    level: 'note',
    says: 'No mail is sent: nobody can ask for a new password.',
    todo: 'Set GATEBOOK_SMTP_URL and GATEBOOK_MAIL_FROM.',
  },
  'mail-printed': {
    level: 'note',
    says: 'Mail is printed, tokens and all.',
    todo: 'Set GATEBOOK_SMTP_URL and GATEBOOK_MAIL_FROM.',
  },
  'mail-unreachable': {
    level: 'warning',
    says: 'The mail server does not answer, or does not take the account.',
    todo: 'See GATEBOOK_SMTP_URL.',
  },
  'settings-wrong': {
    level: 'problem',
    says: 'A setting is refused: nothing starts.',
    todo: 'gatebook serve says which one.',
  },
  'check-failed': {
    level: 'warning',
    says: 'A check could not be made.',
    todo: 'Please report it, with the output of gatebook doctor --json.',
  },
}

export type FindingCode =
  | 'secret-ok'
  | 'secret-missing'
  | 'secret-new'
  | 'secret-weak'
  | 'secret-other'
  | 'secret-readable'
  | 'database-ok'
  | 'database-unreachable'
  | 'database-missing'
  | 'clock-ok'
  | 'clock-same'
  | 'clock-drifts'
  | 'clock-off'
  | 'clock-far-off'
  | 'tables-ok'
  | 'tables-none'
  | 'migrations-pending'
  | 'migrations-newer'
  | 'columns-missing'
  | 'indexes-missing'
  | 'uniques-missing'
  | 'storage-wrong'
  | 'views-ok'
  | 'views-missing'
  | 'views-foreign'
  | 'views-outdated'
  | 'hash-ok'
  | 'hash-cheap'
  | 'hash-slow'
  | 'hash-memory'
  | 'sequencer-ok'
  | 'sequencer-idle'
  | 'events-rejected'
  | 'log-ok'
  | 'log-key-missing'
  | 'log-key-readable'
  | 'log-guard-missing'
  | 'log-checkpoint-forged'
  | 'log-unsigned'
  | 'disk-ok'
  | 'disk-low'
  | 'disk-full'
  | 'wal-large'
  | 'disk-unseen'
  | 'issuer-ok'
  | 'issuer-unset'
  | 'issuer-plain'
  | 'issuer-local'
  | 'cors-plain'
  | 'proxies-ok'
  | 'proxies-everybody'
  | 'proxies-counted'
  | 'proxies-ignored'
  | 'proxies-one-address'
  | 'mail-ok'
  | 'mail-off'
  | 'mail-printed'
  | 'mail-unreachable'
  | 'settings-wrong'
  | 'check-failed'

export interface Finding {
  readonly code: FindingCode
  /** Numbers, and names of our own tables, columns, settings and errors. */
  readonly figures?: Readonly<Record<string, string | number | boolean>>
}

const ORDER: readonly FindingLevel[] = ['ok', 'note', 'warning', 'problem']

export function levelOf({ code }: Finding): FindingLevel {
  return FINDINGS[code].level
}

export function worstOf(findings: readonly Finding[]): FindingLevel {
  return ORDER[Math.max(0, ...findings.map((finding) => ORDER.indexOf(levelOf(finding))))]!
}
