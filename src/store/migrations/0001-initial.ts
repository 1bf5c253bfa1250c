import type { DialectName } from '../dialect.ts'
import { COLUMN_TYPES, createTable, type TableDefinition } from './schema.ts'

/** The first set of tables. A migration that has been released is never edited. */
export function initial(dialect: DialectName): string[] {
  const { serial, bigint, integer, ascii, text, longText, bytes, longBytes, utcOf } = COLUMN_TYPES[dialect]
  const id = ascii(32)
  const subject = text(128)

  const tables: TableDefinition[] = [
    {
      name: 'gatebook_meta',
      columns: [`name ${ascii(64)} NOT NULL PRIMARY KEY`, `value ${longText} NOT NULL`],
    },
    {
      name: 'gatebook_user',
      columns: [
        `id ${id} NOT NULL PRIMARY KEY`,
        `identifier ${text(320)} NOT NULL`,
        `identifier_key ${text(320)} NOT NULL UNIQUE`,
        `created_at ${bigint} NOT NULL`,
        `confirmed_at ${bigint}`,
        `skeleton ${ascii(43)}`,
      ],
      indexes: { by_skeleton: 'skeleton' },
    },
    {
      // No foreign key leads here or from here: the application's own users have no row in gatebook_user.
      name: 'gatebook_subject',
      columns: [
        `id ${subject} NOT NULL PRIMARY KEY`,
        `generation ${integer} NOT NULL`,
        `credential_version ${integer} NOT NULL`,
        `created_at ${bigint} NOT NULL`,
        `disabled_at ${bigint}`,
        `erased_at ${bigint}`,
      ],
      indexes: { by_erasure: 'erased_at' },
    },
    {
      name: 'gatebook_role',
      columns: [
        `subject_id ${subject} NOT NULL`,
        `role ${ascii(64)} NOT NULL`,
        `granted_at ${bigint} NOT NULL`,
        'PRIMARY KEY (subject_id, role)',
      ],
      indexes: { by_role: 'role, subject_id' },
    },
    {
      name: 'gatebook_credential',
      columns: [
        `user_id ${id} NOT NULL PRIMARY KEY`,
        `password_hash ${ascii(512)} NOT NULL`,
        `changed_at ${bigint} NOT NULL`,
      ],
    },
    {
      name: 'gatebook_device',
      columns: [`id ${id} NOT NULL PRIMARY KEY`, `subject_id ${subject} NOT NULL`, `created_at ${bigint} NOT NULL`],
      indexes: { by_subject: 'subject_id' },
    },
    {
      name: 'gatebook_session',
      columns: [
        `id ${id} NOT NULL PRIMARY KEY`,
        `subject_id ${subject} NOT NULL`,
        `method ${ascii(32)} NOT NULL`,
        `roles ${longText}`,
        `claims ${longText}`,
        `device_id ${id}`,
        `ip ${ascii(45)}`,
        `user_agent ${text(512)}`,
        `created_at ${bigint} NOT NULL`,
        `last_used_at ${bigint} NOT NULL`,
        `refresh_counter ${integer} NOT NULL`,
        `rotations ${longText} NOT NULL`,
        `expires_at ${bigint} NOT NULL`,
        `absolute_expires_at ${bigint} NOT NULL`,
        `access_expires_at ${bigint} NOT NULL`,
        `ended_at ${bigint}`,
        `end_reason ${ascii(32)}`,
      ],
      indexes: { by_subject: 'subject_id, ended_at, created_at', by_expiry: 'ended_at, expires_at' },
    },
    {
      name: 'gatebook_event',
      columns: [
        `number ${serial}`,
        `id ${id} NOT NULL UNIQUE`,
        `type ${ascii(64)} NOT NULL`,
        `outcome ${ascii(16)} NOT NULL`,
        `reason ${ascii(32)}`,
        `at ${bigint} NOT NULL`,
        `time_utc ${utcOf('at')}`,
        `actor_kind ${ascii(16)} NOT NULL`,
        `actor_id ${subject}`,
        `subject_id ${subject}`,
        `subject_number ${bigint}`,
        `identifier ${text(320)}`,
        `identifier_mask ${text(320)}`,
        `identifier_hmac ${ascii(43)}`,
        `identifier_key ${integer}`,
        `session_id ${id}`,
        `token_id ${id}`,
        `method ${ascii(32)}`,
        `ip ${ascii(45)}`,
        `ip_key ${ascii(32)}`,
        `ip_source ${ascii(16)}`,
        `user_agent ${text(512)}`,
        `device_id ${id}`,
        `request_id ${text(128)}`,
        `trace_id ${text(64)}`,
        `data ${longText}`,
        `salt_id ${bytes(32)}`,
        `salt_net ${bytes(32)}`,
      ],
      indexes: {
        by_time: 'type, time_utc',
        by_type: 'type, number',
        by_reason: 'reason, number',
        by_at: 'at, number',
        by_actor: 'actor_id, number',
        // The type is there for reconciliation, which looks for few of a subject's events among many.
        by_subject: 'subject_id, number, type',
        by_subject_number: 'subject_number',
        by_identifier: 'identifier_hmac, number',
        by_session: 'session_id, type, number',
        by_ip: 'ip_key, number',
        by_device: 'device_id, number',
        by_request: 'request_id',
      },
    },
    {
      name: 'gatebook_entry',
      columns: [
        `log_index ${bigint} NOT NULL PRIMARY KEY`,
        `event_id ${id} NOT NULL UNIQUE`,
        `leaf ${longBytes} NOT NULL`,
        `leaf_hash ${bytes(32)} NOT NULL`,
        `mac ${bytes(32)}`,
      ],
    },
    {
      name: 'gatebook_log_state',
      columns: [`id ${integer} NOT NULL PRIMARY KEY`, `size ${bigint} NOT NULL`, `pruned ${bigint} NOT NULL DEFAULT 0`],
    },
    {
      name: 'gatebook_tile',
      columns: [
        `level ${integer} NOT NULL`,
        `place ${bigint} NOT NULL`,
        `hashes ${longBytes} NOT NULL`,
        'PRIMARY KEY (level, place)',
      ],
    },
    {
      name: 'gatebook_checkpoint',
      columns: [
        `epoch ${integer} NOT NULL`,
        `size ${bigint} NOT NULL`,
        `note ${longText} NOT NULL`,
        `signed_at ${bigint} NOT NULL`,
        `published_at ${bigint}`,
        `proof ${longBytes}`,
        'PRIMARY KEY (epoch, size)',
      ],
      indexes: { by_publication: 'published_at' },
    },
    {
      name: 'gatebook_anchor',
      columns: [
        `name ${ascii(64)} NOT NULL PRIMARY KEY`,
        `epoch ${integer} NOT NULL`,
        `size ${bigint} NOT NULL`,
        `anchored_at ${bigint}`,
        `failed_at ${bigint}`,
        `failure ${text(512)}`,
      ],
    },
    {
      name: 'gatebook_queue',
      columns: [
        `number ${serial}`,
        `event_id ${id} NOT NULL`,
        `leaf ${longBytes} NOT NULL`,
        `mac ${bytes(32)} NOT NULL`,
        `rejected_at ${bigint}`,
      ],
    },
    {
      name: 'gatebook_signing_key',
      columns: [
        `kid ${ascii(64)} NOT NULL PRIMARY KEY`,
        `algorithm ${ascii(16)} NOT NULL`,
        `state ${ascii(16)} NOT NULL`,
        `active_for ${ascii(16)} UNIQUE`,
        `pending_for ${ascii(16)} UNIQUE`,
        `public_jwk ${longText} NOT NULL`,
        `sealed_private_key ${longBytes} NOT NULL`,
        `secret_version ${integer} NOT NULL`,
        `created_at ${bigint} NOT NULL`,
        `activates_at ${bigint} NOT NULL`,
        `activated_at ${bigint}`,
        `retires_at ${bigint}`,
        `ended_at ${bigint}`,
      ],
    },
    {
      name: 'gatebook_throttle',
      columns: [
        `id ${ascii(43)} NOT NULL PRIMARY KEY`,
        `scope ${ascii(16)} NOT NULL`,
        `account ${ascii(43)}`,
        `failures ${integer} NOT NULL`,
        `window_at ${bigint} NOT NULL`,
        `free_at ${bigint} NOT NULL`,
        `updated_at ${bigint} NOT NULL`,
      ],
      indexes: { by_account: 'account', by_update: 'updated_at' },
    },
    {
      name: 'gatebook_revocation',
      columns: [
        `seq ${serial}`,
        `session_id ${id} NOT NULL`,
        `kind ${ascii(16)} NOT NULL`,
        `generation ${integer} NOT NULL`,
        `reason ${ascii(32)}`,
        `at ${bigint} NOT NULL`,
        `forget_at ${bigint} NOT NULL`,
      ],
      indexes: { by_forget: 'forget_at' },
    },
    {
      name: 'gatebook_client',
      columns: [
        `id ${id} NOT NULL PRIMARY KEY`,
        `name ${text(100)} NOT NULL`,
        `secret_digest ${ascii(43)} NOT NULL`,
        `created_by ${subject} NOT NULL`,
        `created_at ${bigint} NOT NULL`,
        `revoked_at ${bigint}`,
      ],
    },
    {
      name: 'gatebook_one_time_token',
      columns: [
        `id ${id} NOT NULL PRIMARY KEY`,
        `purpose ${ascii(16)} NOT NULL`,
        `secret_digest ${ascii(43)} NOT NULL UNIQUE`,
        `subject_id ${subject}`,
        `identifier ${text(320)}`,
        `identifier_key ${text(320)}`,
        `password_hash ${ascii(512)}`,
        `roles ${longText}`,
        `credential_version ${integer}`,
        `created_by ${subject}`,
        `created_at ${bigint} NOT NULL`,
        `expires_at ${bigint} NOT NULL`,
        `spent_at ${bigint}`,
        `spent_by ${subject}`,
        `revoked_at ${bigint}`,
        `mac ${bytes(32)} NOT NULL`,
      ],
      indexes: { by_expiry: 'expires_at', by_purpose: 'purpose, id' },
    },
    {
      name: 'gatebook_retention',
      columns: [
        `name ${ascii(32)} NOT NULL PRIMARY KEY`,
        `before_at ${bigint} NOT NULL`,
        `done_at ${bigint} NOT NULL`,
        `done_key ${ascii(64)} NOT NULL`,
      ],
    },
    {
      name: 'gatebook_hold',
      columns: [
        `id ${id} NOT NULL PRIMARY KEY`,
        `subject_id ${subject}`,
        `identifier ${text(320)}`,
        `from_at ${bigint}`,
        `to_at ${bigint}`,
        `reason ${text(500)} NOT NULL`,
        `reference ${ascii(64)}`,
        `created_by ${subject} NOT NULL`,
        `created_at ${bigint} NOT NULL`,
        `mac ${bytes(32)} NOT NULL`,
      ],
    },
    {
      name: 'gatebook_erasure',
      columns: [
        `id ${id} NOT NULL PRIMARY KEY`,
        `subject_id ${subject}`,
        `identifiers ${longText} NOT NULL`,
        `actor_kind ${ascii(16)} NOT NULL`,
        `actor_id ${subject}`,
        `reason ${ascii(32)} NOT NULL`,
        `reference ${ascii(64)}`,
        `counts ${longText} NOT NULL`,
        `started_at ${bigint} NOT NULL`,
        `touched_at ${bigint} NOT NULL`,
        `mac ${bytes(32)} NOT NULL`,
      ],
    },
  ]
  const insertState = {
    sqlite: 'INSERT OR IGNORE INTO gatebook_log_state (id, size) VALUES (1, 0)',
    postgres: 'INSERT INTO gatebook_log_state (id, size) VALUES (1, 0) ON CONFLICT DO NOTHING',
    mysql: 'INSERT IGNORE INTO gatebook_log_state (id, size) VALUES (1, 0)',
  }[dialect]
  // Every event passes through the queue and leaves it again: without this, dead rows would outnumber the live ones.
  const tuning =
    dialect === 'postgres'
      ? ['ALTER TABLE gatebook_queue SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000)']
      : []
  return [...tables.flatMap((table) => createTable(dialect, table)), insertState, ...tuning]
}
