import type { EventFilter, UserId } from './api-objects.ts'
import type { ErrorCode } from './errors.ts'
import type { CommittedFields } from './event/commitment.ts'
import type { LogEvent } from './event/event.ts'
import type { AnchorStatus } from './log/anchor-lane.ts'

/** The objects of `gate.log`: what is kept, proven, signed, audited and forgotten. */

/** What went, or would go, under one rule of the retention. */
export interface ExpiredCount {
  /** `net`: address, user agent and device of events; `event`: whole events; `session`: sessions that have ended. */
  readonly class: 'net' | 'event' | 'session'
  /** Whose acts: those of admins, operators and the system, or everybody else's. */
  readonly actors: 'users' | 'admins'
  /** Of whole events. */
  readonly volume: 'high' | 'medium' | 'low' | null
  /** Epoch milliseconds: what is older. */
  readonly before: number
  readonly count: number
}

export interface ExpiryReport {
  readonly dryRun: boolean
  readonly items: readonly ExpiredCount[]
}

export interface PruningOptions {
  /** Epoch milliseconds: nothing younger goes. Where this is later than the retention allows, that decides. */
  readonly before?: number
  /** Only looks. */
  readonly dryRun?: boolean
}

/** What kept the next 256 entries: their age, a hold, or that nothing outside of the database vouches for them yet. */
export type PruningLimit = 'retention' | 'hold' | 'checkpoint' | 'anchor' | 'epoch'

export interface PruningReport {
  readonly dryRun: boolean
  /** The first entry that was left before, and the one that is, or would be, left now. The same when nothing can go. */
  readonly from: number
  readonly first: number
  /** Of those that go, how many would never have expired: rows that live on can be compared with them no more. */
  readonly lasting: number
  /** Epoch milliseconds: all that goes is older; null when nothing can go. */
  readonly before: number | null
  readonly limit: PruningLimit
  /** The hold, where that is the limit. */
  readonly hold: string | null
}

/** One of the two. An identifier that belongs to a user of Gatebook's stands for that user. */
export interface ErasureTarget {
  readonly userId?: UserId | number
  readonly identifier?: string
}

export interface ErasureCounts {
  /** Events that told whom they are about. */
  readonly events: number
  /** Events that told address and user agent. */
  readonly networks: number
  readonly sessions: number
  readonly devices: number
  /** One-time tokens: resets, confirmations, invitations. */
  readonly tokens: number
  /** Of the throttle. */
  readonly counters: number
}

export interface ErasurePreview extends ErasureCounts {
  /** Null for an identifier that is nobody's. */
  readonly userId: UserId | null
  /** What this user did to others; it stays. */
  readonly actsOnOthers: number
  /** Ids of holds that stand against it. */
  readonly holds: readonly string[]
}

/** Of calls that erase the same at once, each tells what it has finished itself. */
export interface ErasureReport extends ErasureCounts {
  readonly userId: UserId | null
}

export interface ErasureOptions {
  /** Of the request that asks for it; stands in the log for good, so it must not tell who that was. */
  readonly reference?: string
}

/**
 * What is kept: all conditions must be true of an event, and a hold without any keeps everything. An erasure of the user or of
 * the identifier is refused in any case.
 */
export interface HoldInput {
  /** What is about this user, and what this user did. */
  readonly userId?: UserId | number
  readonly identifier?: string
  /** Epoch milliseconds, inclusive. */
  readonly from?: number
  /** Epoch milliseconds, exclusive. */
  readonly to?: number
  /** For people, 1 to 500 characters; gone when the hold is released. */
  readonly reason: string
  /** Stands in the log for good. */
  readonly reference?: string
}

export interface Hold {
  readonly id: string
  readonly userId: UserId | null
  readonly identifier: string | null
  readonly from: number | null
  readonly to: number | null
  readonly reason: string
  readonly reference: string | null
  readonly createdBy: string
  readonly createdAt: number
}

export type LogoutScope = 'current' | 'others' | 'all'

/** What one process knows of the signing of the log. Instants are epoch milliseconds. */
export interface LogStatus {
  /** Whether this process signs the log whenever it has the lock of the guard. */
  readonly signing: boolean
  /** The newest checkpoint that this process has signed; null before the first one. */
  readonly signed: { readonly epoch: number; readonly size: number; readonly signedAt: number } | null
  /** Why nothing is signed; null while all is well. */
  readonly stopped: { readonly code: ErrorCode; readonly detail: string; readonly since: number } | null
  /** Events of this process that no checkpoint covers yet, and how many of them should be under one by now. */
  readonly waiting: number
  readonly missing: number
  /** Where published checkpoints are kept, and how far each has come; none where this process does not sign. */
  readonly anchors: readonly AnchorStatus[]
}

export interface RecoveredLog {
  readonly epoch: number
  /** Entries that the log has now. */
  readonly size: number
  /** What the checkpoint before covers; null when there was none. */
  readonly previousSize: number | null
  /** With `quarantine` only: entries that were taken out of the log, and places that had no entry. */
  readonly quarantined?: number
  readonly missing?: number
}

/** What one commitment of a leaf is over. See `spec/entry.md`. */
export interface CommitmentOpening {
  /** 64 hexadecimal digits. */
  readonly salt: string
  readonly fields: CommittedFields
}

/** That one event stands in the log, for whoever has the log's public key: nothing else is needed to check it. */
export interface EventReceipt {
  readonly eventId: string
  /** Of the entry, from 0. */
  readonly index: number
  /** How many entries the checkpoint covers. */
  readonly size: number
  /** The exact bytes of the leaf, as the UTF-8 that they are. */
  readonly leaf: string
  /** 64 hexadecimal digits: SHA-256(0x00 ‖ leaf), RFC 6962. */
  readonly leafHash: string
  /** C2SP tlog-proof: index, inclusion proof and signed checkpoint. */
  readonly proof: string
  /** Whom and where from; null for a class whose fields have been forgotten. */
  readonly opening: { readonly id: CommitmentOpening | null; readonly net: CommitmentOpening | null }
}

/** A checkpoint as it is stored, with nothing verified. */
export interface PublishedCheckpoint {
  /** Grows with each restored backup. */
  readonly epoch: number
  readonly size: number
  /** C2SP tlog-checkpoint: the signed note. */
  readonly note: string
  readonly signedAt: number
  /** When it was handed to the anchors; null while it was not. */
  readonly publishedAt: number | null
  /** Where entries beyond its size have been pruned: the hashes of the consistency proof to the first entry that is left. */
  readonly consistency: Uint8Array | null
}

/** A checkpoint that a key of the log has signed. */
export interface LogCheckpoint extends PublishedCheckpoint {
  readonly origin: string
  /** Base64, as the note has it. */
  readonly rootHash: string
}

/** How far a place outside of the database is that keeps checkpoints. */
export interface AnchorHead {
  readonly name: string
  /** Of the newest checkpoint that it has; null before the first one. */
  readonly epoch: number | null
  readonly size: number | null
  readonly anchoredAt: number | null
  /** The last failure, where nothing has succeeded since. */
  readonly failedAt: number | null
  readonly failure: string | null
}

/** How far the log has come. */
export interface LogHead {
  /** Entries, with those that were pruned. */
  readonly size: number
  /** The first so many entries are gone. */
  readonly pruned: number
  /** The newest checkpoint that was signed, and the newest one that was published; null before the first one. */
  readonly signed: LogCheckpoint | null
  readonly published: LogCheckpoint | null
  /** C2SP signed-note: `<name>+<key id>+<key>`, one for each key that checkpoints of this log are signed with. */
  readonly verifierKeys: readonly string[]
  /** By name; those that this installation has had before are among them. */
  readonly anchors: readonly AnchorHead[]
}

export interface RecoverOptions {
  /**
   * Files with checkpoints that were kept elsewhere: signed notes, one or many, as anchors write them. Needed where the guard
   * was restored together with the database.
   */
  readonly checkpoints?: readonly string[]
  /**
   * Where entries stand behind what was signed that no writer has made, or some are missing: a file that is not there yet. It gets
   * those that carry no MAC of a writer, one JSON object a line; they are taken out of the log, and the others close up.
   */
  readonly quarantine?: string
}

export interface AuditOptions {
  /** Files with checkpoints that were kept elsewhere: signed notes, one or many, as anchors write them. */
  readonly checkpoints?: readonly string[]
  /** The verifier keys of the log, as `NAME+ID+KEY`; default: of the configured log key, else what the database names. */
  readonly keys?: readonly string[]
  /** Whether users, passwords, roles, sessions, clients and keys are compared with their events, too. Default false. */
  readonly reconcile?: boolean
  /** A file that keeps how far the audit has come. It goes on from there when the file is there, which is removed at the end. */
  readonly resume?: string
  /** Ends the audit between two batches, without a summary. */
  readonly signal?: AbortSignal
}

/** `rows`: the comparison that `reconcile` asks for. */
export type AuditPhase = 'entries' | 'ids' | 'queue' | 'rows'

export interface AuditProgress {
  readonly kind: 'progress'
  readonly phase: AuditPhase
  /** Entries, or rows. */
  readonly done: number
  /** Null for rows, which are not counted first. */
  readonly total: number | null
}

/** One thing that an audit has found; `docs/audit.md` lists the codes. */
export interface AuditFinding {
  readonly kind: 'finding'
  readonly code: string
  /** `finding`: something does not fit, and nothing in the log explains it. `note`: how far the result can be trusted. */
  readonly severity: 'finding' | 'note'
  /** Place in the log; null where it is about no entry. */
  readonly index: number | null
  readonly eventId: string | null
  /** What exactly: names of columns, sizes, places in files; never the content of a column. */
  readonly detail: string
}

export interface AuditSummary {
  readonly kind: 'summary'
  /** Of the log, when the audit began. */
  readonly size: number
  /** Entries that were read; without those that were pruned. */
  readonly entries: number
  /** Events that were there and were compared. */
  readonly events: number
  /** Whose signature is right. */
  readonly checkpoints: number
  /** The largest size at which the log has the root of such a checkpoint. */
  readonly covered: number
  /** The same of the checkpoints in the given files. */
  readonly anchored: number
  /** Root hash at `size`, base64; null when an entry is missing. */
  readonly root: string | null
  /** How many, without notes. */
  readonly findings: number
  /** How many of each code, notes too. */
  readonly counts: Readonly<Record<string, number>>
  /** What the audit took, with what was done before it was resumed. */
  readonly milliseconds: number
}

export type AuditStep = AuditProgress | AuditFinding | AuditSummary

export interface WatchOptions {
  readonly filter?: EventFilter
  /** The cursor of an earlier step: begins behind it instead of now. */
  readonly after?: string
  /** Yields a step of kind `idle` whenever nothing else came for so long. Default: never. */
  readonly idleMilliseconds?: number
  readonly signal?: AbortSignal
}

/**
 * `ready` comes first, and once. After `overflow` nothing comes: whoever watches was more than 1,000 events behind, and goes on
 * with another watch from this cursor. Cursors are opaque, and say how far one has come.
 */
export type WatchStep =
  | { readonly kind: 'ready' | 'idle' | 'overflow'; readonly cursor: string }
  | { readonly kind: 'event'; readonly cursor: string; readonly event: LogEvent }

export interface OverviewOptions {
  /** Epoch milliseconds, inclusive and exclusive; default the last 24 hours. Rounded outwards to whole buckets. */
  readonly from?: number
  readonly to?: number
  /** 1 to 200, default 96. As many, or one more, come back: they begin at whole multiples of their width. */
  readonly buckets?: number
}

/** What happened in a window, in numbers; what aggregate events have counted is in them. Instants are epoch milliseconds. */
export interface LogOverview {
  /** From when on everything was counted: later than asked for where `complete` is false. */
  readonly from: number
  readonly to: number
  readonly bucketMilliseconds: number
  readonly asOf: number
  /** False where the window has more than 200,000 events, of which the newest are counted. */
  readonly complete: boolean
  /** Oldest first, also those in which nothing happened. */
  readonly series: readonly {
    readonly at: number
    /** login.succeeded */
    readonly logins: number
    /** login.failed */
    readonly failures: number
    /** session.refreshed */
    readonly refreshes: number
    /** session.ended */
    readonly ended: number
  }[]
  /** By reason, of all that failed or was denied; the most frequent first. */
  readonly refusals: readonly { readonly reason: string; readonly count: number }[]
  /** At most ten each: an IPv4 address, or the /64 of an IPv6 address. */
  readonly addresses: {
    readonly busiest: readonly { readonly prefix: string; readonly count: number; readonly failures: number }[]
    /** That no earlier event has, as far as events are kept; the last one first. */
    readonly newest: readonly { readonly prefix: string; readonly firstSeen: number }[]
  }
  /** Of all users, now. */
  readonly activeSessions: number
}

/** Epoch milliseconds, inclusive and exclusive; all that is kept where absent. */
export interface AddressWindow {
  readonly from?: number
  readonly to?: number
}

/** Who came from an address, or a range of them; what aggregate events have counted is in the numbers. */
export interface AddressReport {
  /** In its one spelling. */
  readonly ip: string
  /** Of the events that were counted, epoch milliseconds; null for none. */
  readonly firstSeen: number | null
  readonly lastSeen: number | null
  /** Log-ins; everything that failed; everything that was denied; refreshes. */
  readonly counts: {
    readonly succeeded: number
    readonly failed: number
    readonly denied: number
    readonly refreshed: number
  }
  /** At most 100, those who were there last first. */
  readonly users: readonly {
    /** Null for a name that is nobody's. */
    readonly userId: UserId | null
    readonly identifierMask: string | null
    /** Log-ins. */
    readonly succeeded: number
    /** What failed or was denied. */
    readonly failed: number
    readonly lastSeen: number
  }[]
  /** False where there are too many: then the newest 200,000 events of the window were looked at. */
  readonly complete: boolean
}

/** An anchor, as far as is known here. */
export interface AnchorHealth {
  readonly name: string
  /** As it is written in the setting, or one of the application's own; null for one that this process does not have. */
  readonly kind: 'file' | 'command' | 'http-put' | 'witness' | 'custom' | null
  readonly state: AnchorStatus['state'] | null
  /** Of the newest checkpoint that it has. */
  readonly size: number
  readonly lastSuccessAt: number | null
  /** Null when something was kept since. */
  readonly lastError: string | null
}

/** What is known of the record without reading it. Instants are epoch milliseconds. */
export interface LogIntegrity {
  readonly status: LogStatus
  /** Why the database cannot be believed; the members that come out of it are null or empty then. */
  readonly problem: { readonly code: ErrorCode; readonly detail: string } | null
  /** Entries, with those that were pruned; and how many those are. */
  readonly size: number | null
  readonly pruned: number | null
  /** The newest checkpoint that was signed. */
  readonly signed: LogCheckpoint | null
  /** The newest twenty that were published and that the log has signed. Whom the witnesses are that a note names is not verified here. */
  readonly published: readonly {
    readonly epoch: number
    readonly size: number
    readonly signedAt: number
    readonly witnesses: readonly string[]
  }[]
  readonly anchors: readonly AnchorHealth[]
  /** The newest `log.audited`. */
  readonly lastAudit: LogEvent | null
  readonly verifierKeys: readonly string[]
}

/** An audit in this process, as far as it has come. */
export interface AuditRun {
  readonly id: string
  readonly state: 'running' | 'done' | 'failed'
  /** Why it has failed: ERR_AUDIT_CANCELLED where it was broken off. */
  readonly failure: ErrorCode | null
  readonly phase: AuditPhase | null
  /** Of the phase. */
  readonly done: number
  readonly total: number | null
  /** A second, in this phase. */
  readonly rate: number | null
  /** The first thousand. */
  readonly findings: readonly AuditFinding[]
  readonly findingsTotal: number
  readonly summary: AuditSummary | null
  readonly startedAt: number
  readonly endedAt: number | null
}
