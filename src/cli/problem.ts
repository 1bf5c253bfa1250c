import { CommanderError } from 'commander'
import { type ErrorCode, GatebookError, isGatebookError } from '../errors.ts'
import { escapeUnsafe, formatSafeJson } from '../server/escape-unsafe.ts'
import { QueryProblem } from './query-arguments.ts'
import { displayWidth } from './table.ts'

/** 0 is success. */
export type ExitStatus = 1 | 2 | 3
const REFUSED = 1
const WRONG_USE = 2
const COULD_NOT_RUN = 3

/** What to do about an error; and the exit status, where it is not that of a refusal. */
const ADVICE: Partial<Record<ErrorCode, { readonly status?: ExitStatus; readonly todo: string }>> = {
  ERR_USER_NOT_FOUND: {
    todo: "See who there is: gatebook user list. For an application's own user: --application-user.",
  },
  ERR_SESSION_NOT_FOUND: { todo: 'See which there are: gatebook session list USER' },
  ERR_EVENT_NOT_FOUND: { todo: 'Find its id: gatebook log search' },
  ERR_EVENT_PENDING: { todo: 'Try again in a second. Where no process signs the log, see: gatebook log checkpoint' },
  ERR_ENTRY_PRUNED: { todo: 'Receipts and exports from before the pruning still prove it.' },
  ERR_LOG_UNPUBLISHED: { todo: 'A minute after the first event there is one, where a server signs the log.' },
  ERR_LOG_TAMPERED: {
    todo: 'Somebody may have changed the database. Keep it as it is, compare with what was exported and anchored, and run: gatebook log audit',
  },
  ERR_EXPORT_REFUSED: { todo: 'The checkpoint in the folder is the one from before.' },
  ERR_FILE: { status: COULD_NOT_RUN, todo: 'See that it is there, and may be read or written.' },
  ERR_IDENTIFIER_TAKEN: { todo: 'Look at the user: gatebook user show IDENTIFIER' },
  ERR_ROW_MALFORMED: { todo: 'Correct the file and run the command again; what is there is left alone.' },
  ERR_INVITATION_NOT_FOUND: { todo: 'See which there are: gatebook invitation list' },
  ERR_MAIL_UNAVAILABLE: { todo: 'Set GATEBOOK_SMTP_URL and GATEBOOK_MAIL_FROM, or leave --send out.' },
  ERR_PASSWORD_TOO_SHORT: { todo: 'Choose a longer one; GATEBOOK_PASSWORD_MIN_LENGTH is the limit.' },
  ERR_PASSWORD_TOO_LONG: { todo: 'Choose a shorter one; GATEBOOK_PASSWORD_MAX_LENGTH is the limit.' },
  ERR_PASSWORD_COMMON: { todo: 'Choose one that nobody else uses, e.g. several random words.' },
  ERR_PASSWORD_MATCHES_IDENTIFIER: { todo: 'Choose another password.' },
  ERR_QUERY_INVALID: { status: WRONG_USE, todo: 'See which values a flag takes: gatebook log search --help' },
  ERR_CURSOR_INVALID: { status: WRONG_USE, todo: 'A cursor belongs to the filters that it was printed for.' },
  ERR_USAGE: { status: WRONG_USE, todo: 'See: gatebook --help' },
  ERR_OPTION_INVALID: { status: COULD_NOT_RUN, todo: 'Correct the setting and start again.' },
  ERR_OPTION_UNKNOWN: { status: COULD_NOT_RUN, todo: 'Correct its name or remove it.' },
  ERR_SECRET_MISSING: {
    status: COULD_NOT_RUN,
    todo: 'Name it with --secret-file, GATEBOOK_SECRET_FILE or GATEBOOK_SECRET.',
  },
  ERR_SECRET_WEAK: { status: COULD_NOT_RUN, todo: 'Make one: openssl rand -base64 32' },
  ERR_SECRET_MISMATCH: {
    status: COULD_NOT_RUN,
    todo: 'Find the secret that this database was set up with; a new one cannot replace it.',
  },
  ERR_AUDIT_INPUT: { status: COULD_NOT_RUN, todo: 'See what it takes: gatebook log audit --help' },
  ERR_AUDIT_STOPPED: {
    status: COULD_NOT_RUN,
    todo: 'Run it again; with --resume FILE it goes on where it was stopped.',
  },
  ERR_DATABASE: {
    status: COULD_NOT_RUN,
    todo: 'Name the database with --database or GATEBOOK_DATABASE, and see that it can be reached.',
  },
  ERR_UNAVAILABLE: { status: COULD_NOT_RUN, todo: 'See that the database can be reached, then try again.' },
  ERR_DATABASE_FULL: { status: COULD_NOT_RUN, todo: 'Make room where the database is, then try again.' },
  ERR_MIGRATION: { status: COULD_NOT_RUN, todo: 'Bring the tables up to date: gatebook migrate' },
  ERR_INTERNAL: { status: COULD_NOT_RUN, todo: 'This is a mistake in Gatebook; please report it with what you did.' },
}

export interface Problem {
  readonly status: ExitStatus
  readonly text: string
}

/** An error as a command ends with it: one line what happened and one what to do, or one JSON object. */
export function describeProblem(thrown: unknown, command: string, json: boolean): Problem {
  const error = toGatebookError(thrown)
  const { status = REFUSED, todo = null } = ADVICE[error.code] ?? {}
  if (json) {
    const object = { code: error.code, message: error.message, detail: error.detail ?? null, ...error.members }
    return { status, text: `${formatSafeJson(object)}\n` }
  }
  const isDetailed = (error.code === 'ERR_USAGE' || error instanceof QueryProblem) && error.detail !== undefined
  const what = isDetailed ? error.detail : [error.message, error.detail].join(' ').trim()
  const shown = error instanceof QueryProblem ? pointAt(error) : []
  const advice = isDetailed ? `See: ${command} --help` : todo
  return {
    status,
    text: [`gatebook: ${what}`, ...shown, ...(advice === null ? [] : [`  ${advice}`])]
      .map((line) => `${escapeUnsafe(line)}\n`)
      .join(''),
  }
}

/** The query, and carets below what is wrong in it; at its end where something is missing. */
function pointAt({ query, start, end }: QueryProblem): string[] {
  const [before, wrong] = [query.slice(0, start), query.slice(start, end)].map((text) =>
    displayWidth(escapeUnsafe(text)),
  )
  return [`  ${query}`, `  ${' '.repeat(before!)}${'^'.repeat(Math.max(1, wrong!))}`]
}

function toGatebookError(thrown: unknown): GatebookError {
  if (isGatebookError(thrown)) return thrown
  if (thrown instanceof CommanderError) {
    // "error: unknown option '--jsno'\n(Did you mean --json?)"
    const detail = thrown.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ')
    return new GatebookError('ERR_USAGE', { detail: `${detail.charAt(0).toUpperCase()}${detail.slice(1)}` })
  }
  const cause = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
  return new GatebookError('ERR_INTERNAL', { detail: cause.split('\n').slice(0, 4).join(' '), cause: thrown })
}
