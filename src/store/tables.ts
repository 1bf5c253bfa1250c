import type { Generated } from 'kysely'
import type { EventColumns } from '../event/encode.ts'

/** The columns of every table, as all three engines return them. Instants are epoch milliseconds. */
export interface Tables {
  gatebook_meta: MetaTable
  gatebook_user: UserTable
  gatebook_subject: SubjectTable
  gatebook_role: RoleTable
  gatebook_credential: CredentialTable
  gatebook_device: DeviceTable
  gatebook_session: SessionTable
  gatebook_event: EventTable
  gatebook_queue: QueueTable
  gatebook_entry: EntryTable
  gatebook_log_state: LogStateTable
  gatebook_tile: TileTable
  gatebook_checkpoint: CheckpointTable
  gatebook_anchor: AnchorTable
  gatebook_signing_key: SigningKeyTable
  gatebook_throttle: ThrottleTable
  gatebook_revocation: RevocationTable
  gatebook_one_time_token: OneTimeTokenTable
  gatebook_client: ClientTable
  gatebook_retention: RetentionTable
  gatebook_hold: HoldTable
  gatebook_erasure: ErasureTable
}

export interface MetaTable {
  name: string
  value: string
}

export interface UserTable {
  id: string
  /** As it was typed. */
  identifier: string
  /** Normalised; unique. */
  identifier_key: string
  /** Digest of what the identifier looks like; see `user/skeleton.ts`. */
  skeleton: string | null
  created_at: number
  /** Since when it is known that the identifier reaches this user; NULL while nobody has shown that. */
  confirmed_at: number | null
}

/** Whom events and sessions are about: Gatebook's own users and the application's alike. */
export interface SubjectTable {
  id: string
  /** Grows with each change of roles; an access token with a smaller one is stale. */
  generation: number
  /** Grows with each change of the password: a log-in that was checked against the one before does not succeed. */
  credential_version: number
  created_at: number
  disabled_at: number | null
  erased_at: number | null
}

export interface RoleTable {
  subject_id: string
  role: string
  granted_at: number
}

export interface CredentialTable {
  user_id: string
  /** PHC string. */
  password_hash: string
  changed_at: number
}

export interface DeviceTable {
  id: string
  subject_id: string
  created_at: number
}

export interface SessionTable {
  id: string
  subject_id: string
  method: string
  /** Roles and claims that the application gave this session, as JSON. */
  roles: string | null
  claims: string | null
  device_id: string | null
  /** The application that the user was handed over to, and the session at Gatebook's own pages by which that was done. */
  client_id: string | null
  parent_id: string | null
  /** When the password was shown, where that is not when the session began. */
  authenticated_at: number | null
  ip: string | null
  user_agent: string | null
  created_at: number
  last_used_at: number
  refresh_counter: number
  /** `counter:instant` of the rotations within the last grace period, separated by spaces. */
  rotations: string
  /** The earlier of the idle and the absolute end. */
  expires_at: number
  absolute_expires_at: number
  /** When the last of the access tokens that were issued for it expires, which need not be the newest. */
  access_expires_at: number
  ended_at: number | null
  end_reason: string | null
}

export interface EventTable extends EventColumnsMutable {
  number: Generated<number>
  /** The subject as a number where it is one: what the views show with `userLogsUserId: 'integer'`. */
  subject_number: number | string | null
  /** 32 hexadecimal digits of the address, so that a CIDR is a range. */
  ip_key: string | null
}

type EventColumnsMutable = {
  -readonly [K in keyof EventColumns]: K extends 'salt_id' | 'salt_net' ? Uint8Array | null : EventColumns[K]
}

export interface QueueTable {
  number: Generated<number>
  event_id: string
  leaf: Uint8Array
  mac: Uint8Array
  /** Set when the MAC is wrong: the row is evidence, but it does not get into the log. */
  rejected_at: number | null
}

export interface EntryTable {
  /** Gap-free position, from 0. */
  log_index: number
  event_id: string
  leaf: Uint8Array
  leaf_hash: Uint8Array
  /** Of the writer; what no signed checkpoint covers is believed for nothing else. */
  mac: Uint8Array | null
}

export interface LogStateTable {
  id: number
  /** Number of entries, with those that were pruned. */
  size: number
  /** The first so many entries are gone; a multiple of 256. */
  pruned: Generated<number>
}

/**
 * Hashes of the tree above its leaves, as the tiles of C2SP tlog-tiles have them: at level 1 the roots of 256 leaves each, and so
 * on. The last tile of a level grows. Tiles of level 0 are not kept, since they are the leaf hashes of the entries.
 */
export interface TileTable {
  level: number
  place: number
  hashes: Uint8Array
}

export interface CheckpointTable {
  /** Grows with each restored backup; see `spec/checkpoint.md`. */
  epoch: number
  size: number
  /** Signed note, with the signatures of witnesses where there are any. */
  note: string
  signed_at: number
  /** NULL for the newest one while it has not been handed to the anchors. */
  published_at: number | null
  /** After pruning beyond its size: the consistency proof from it to the first entry that was left then; see `log/kept-proof.ts`. */
  proof: Uint8Array | null
}

/** How far each anchor has come. */
export interface AnchorTable {
  name: string
  epoch: number
  size: number
  anchored_at: number | null
  failed_at: number | null
  failure: string | null
}

export interface SigningKeyTable {
  kid: string
  algorithm: string
  state: 'pending' | 'active' | 'retiring' | 'retired' | 'revoked'
  /** The algorithm while the key is active, NULL otherwise: unique, so that there is one active key each. */
  active_for: string | null
  /** The same while it is pending. */
  pending_for: string | null
  public_jwk: string
  /** Encrypted under a key derived from the master secret. */
  sealed_private_key: Uint8Array
  secret_version: number
  created_at: number
  /** From when on it may sign. */
  activates_at: number
  activated_at: number | null
  /** When nothing that it has signed can be valid any more. */
  retires_at: number | null
  /** Since when it verifies nothing. */
  ended_at: number | null
}

export interface ThrottleTable {
  /** Keyed digest of what is counted. */
  id: string
  scope: 'pair' | 'address' | 'account' | 'mail'
  /** Keyed digest of the account, for unlocking; NULL for an address. */
  account: string | null
  failures: number
  window_at: number
  /** No attempt before this instant. */
  free_at: number
  updated_at: number
}

export interface RevocationTable {
  seq: Generated<number>
  session_id: string
  kind: 'ended' | 'stale'
  /** Smallest acceptable generation, for `stale`. */
  generation: number
  /** Why the session has ended; NULL for `stale`. */
  reason: string | null
  at: number
  /** When the last access token that it concerns has expired. */
  forget_at: number
}

/** A program that may ask about tokens, or an application that users are handed over to. */
export interface ClientTable {
  id: string
  name: string
  /** SHA-256 of the secret; the secret itself is nowhere. NULL for a public client, which has none. */
  secret_digest: string | null
  /** JSON: where a code may be sent to. */
  redirect_uris: string | null
  created_by: string
  created_at: number
  revoked_at: number | null
}

/** How far each rule of the retention has come. The row `lock` is what all forgetting takes turns at. */
export interface RetentionTable {
  name: string
  /** What a `log.expired` has announced: older than this goes. */
  before_at: number
  /** Where the walk through the rows has come to: instant and key of the last one that was looked at. */
  done_at: number
  done_key: string
}

/** What neither expires nor is erased. Conditions that are NULL hold for everything. */
export interface HoldTable {
  id: string
  subject_id: string | null
  /** Normalised. */
  identifier: string | null
  from_at: number | null
  to_at: number | null
  reason: string
  reference: string | null
  created_by: string
  created_at: number
  /** Over all of it; see `secret/row-seal.ts`. */
  mac: Uint8Array
}

/** An erasure that is not finished: all that names somebody is gone from here when it is. */
export interface ErasureTable {
  id: string
  subject_id: string | null
  /** JSON; normalised. */
  identifiers: string
  actor_kind: string
  actor_id: string | null
  reason: 'requested' | 'under-way'
  reference: string | null
  /** JSON: what was emptied or removed so far. */
  counts: string
  started_at: number
  /** When somebody was at it last. */
  touched_at: number
  /** Over all but `touched_at`; see `secret/row-seal.ts`. */
  mac: Uint8Array
}

/** What a secret in a mail or a link stands for: a reset, a confirmation, an invitation, a user who is handed over. */
export interface OneTimeTokenTable {
  id: string
  purpose: 'reset' | 'confirm' | 'invite' | 'code'
  /** SHA-256 of the token; the token itself is nowhere. */
  secret_digest: string
  /** The user whose password may be set; NULL in a row for a name that nobody has, which is there so that one looks like the other. */
  subject_id: string | null
  /** As it was typed: of a registration that waits, or the only one that an invitation is for. */
  identifier: string | null
  identifier_key: string | null
  /** Of a registration that waits. */
  password_hash: string | null
  /** JSON; of an invitation. */
  roles: string | null
  /** Of the subject when the token was made: after another change of the password it is void. */
  credential_version: number | null
  /** Who made it, where that was not the one who receives it. */
  created_by: string | null
  /** JSON, of a code: which session is handed over to whom, and what has to be shown for it. */
  binding: string | null
  created_at: number
  expires_at: number
  spent_at: number | null
  spent_by: string | null
  revoked_at: number | null
  /** Over what it was made for; see `secret/row-seal.ts`. */
  mac: Uint8Array
}
