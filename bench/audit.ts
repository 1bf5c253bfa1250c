/**
 * How long an audit takes, against streaming the same columns and hashing the same bytes, and how much memory. See README.md.
 */
import { hash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { sql } from 'kysely'
import { formatCanonical } from '../src/event/canonical.ts'
import { SALT_BYTES } from '../src/event/commitment.ts'
import { committedFields, type EventColumns } from '../src/event/encode.ts'
import { createGatebook } from '../src/gatebook.ts'
import { createEventLog } from '../src/log/append.ts'
import { AUDITED_COLUMNS } from '../src/log/audit/event-check.ts'
import { WALK_BATCH } from '../src/log/entry-walk.ts'
import { rotationState, sessionState } from '../src/log/row-state.ts'
import { parseMasterSecret } from '../src/secret/master-secret.ts'
import { parseDatabaseUrl } from '../src/server/database-url.ts'
import { chunks } from '../src/store/chunks.ts'
import { createSqlStore } from '../src/store/sql/sql-store.ts'
import type { Store } from '../src/store/store.ts'
import { createIdentifierKeys } from '../src/user/identifier.ts'
import { systemClock } from '../src/util/clock.ts'
import { generateId } from '../src/util/id.ts'
import { type Engine, openEngine } from '../test/support/engine.ts'
import { findEngines } from '../test/support/find-engines.ts'
import { signingOf } from '../test/support/log-signing.ts'
import { median } from './statistics.ts'

const SECRET = 'only this measurement knows: 7cQ2v'
/** Of the session that comes with each event: its digests stand in the leaf. */
const SESSION = {
  ...{ method: 'password', roles: null, claims: null, created_at: 0, absolute_expires_at: 1 },
  ...{ refresh_counter: 0, rotations: '', expires_at: 1 },
  ...{ client_id: null, parent_id: null, authenticated_at: null },
}
export const AUDIT_BAR = 3
const APPENDED_AT_ONCE = 512
export const AUDIT_MEMORY_MEBIBYTES = 64

export interface AuditFigures {
  readonly engine: string
  readonly events: number
  readonly seconds: { readonly audit: number; readonly reference: number }
  readonly ratio: number
  /** By how much the memory of the process grows from the end of the first tenth to its largest. */
  readonly growthMebibytes: number
}

export async function benchAudit(engine: Engine, events: number, rounds: number): Promise<AuditFigures> {
  const database = await engine.createDatabase()
  const opened = await parseDatabaseUrl(database.url).connect()
  const gate = await createGatebook({
    issuer: 'http://localhost',
    database: parseDatabaseUrl(database.url),
    secret: SECRET,
    ...signingOf(database.url),
  })
  try {
    const store = createSqlStore(opened)
    await appendEvents(store, events)
    await untilSigned(store)
    const audits: number[] = []
    const references: number[] = []
    let growth = 0
    for (let round = 0; round < rounds; round++) {
      references.push(await timeOf(() => readAndHash(store)))
      const started = performance.now()
      const memory = createMemoryWatch()
      for await (const step of gate.log.audit()) {
        if (step.kind === 'progress') memory.look(step.total === null ? 1 : step.done / step.total)
        if (step.kind === 'summary' && step.findings > 0) throw new Error(JSON.stringify(step.counts))
      }
      audits.push((performance.now() - started) / 1000)
      growth = Math.max(growth, memory.growth())
    }
    const seconds = { audit: median(audits), reference: median(references) }
    return {
      engine: engine.name,
      events,
      seconds,
      ratio: median(audits.map((taken, at) => taken / references[at]!)),
      growthMebibytes: growth,
    }
  } finally {
    await gate.close()
    await opened.close()
    await database.drop()
  }
}

async function appendEvents(store: Store, count: number): Promise<void> {
  const secret = parseMasterSecret(SECRET, 'secret')
  const log = createEventLog({ clock: systemClock, secret, onAppended() {} })
  const identifiers = createIdentifierKeys(secret)
  for (let at = 0; at < count; at += APPENDED_AT_ONCE) {
    const events = Array.from({ length: Math.min(APPENDED_AT_ONCE, count - at) }, (_, place) => {
      const clear = `user-${at + place}@example.org`
      const subject = generateId('user', at + place)
      const sessionId = generateId('session', at + place)
      return {
        type: 'login.succeeded',
        outcome: 'success',
        actor: { kind: 'user', id: subject },
        subject,
        identifier: identifiers.describe(clear, clear, true),
        sessionId,
        method: 'password',
        network: { ip: `198.51.100.${place % 256}`, ipSource: 'socket', userAgent: 'Mozilla/5.0 (X11; Linux x86_64)' },
        requestId: generateId('request', at + place),
        data: { known_device: false },
        state: {
          session: sessionState({ ...SESSION, id: sessionId, subject_id: subject }),
          rotation: rotationState({ ...SESSION, id: sessionId }),
        },
      } as const
    })
    await store.transaction((tx) => log.append(tx, events), 'relaxed')
  }
}

async function untilSigned(store: Store): Promise<void> {
  for (;;) {
    const waiting = await store.db.selectFrom('gatebook_queue').select('number').limit(1).executeTakeFirst()
    const { size } = await store.db.selectFrom('gatebook_log_state').select('size').executeTakeFirstOrThrow()
    const row = await store.db
      .selectFrom('gatebook_checkpoint')
      .select('size')
      .orderBy('size', 'desc')
      .limit(1)
      .executeTakeFirst()
    if (waiting === undefined && Number(row?.size) === Number(size)) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/**
 * The same columns in batches of the same length, and a hash, made in one call, of as many bytes as an audit hashes: leaves, nodes
 * of the tree, commitments. Nothing is put together and nothing compared. What an audit reads for a second time is read once.
 */
async function readAndHash(store: Store): Promise<void> {
  const node = Buffer.alloc(65)
  const openings = await openingsOf(store)
  for (let next = 0; ; ) {
    const entries = await store.read((db) =>
      db
        .selectFrom('gatebook_entry')
        .select(['log_index', 'event_id', 'leaf', 'leaf_hash', 'mac'])
        .where('log_index', '>=', next)
        .orderBy('log_index')
        .limit(sql.lit(WALK_BATCH))
        .execute(),
    )
    if (entries.length === 0) return
    for (const { leaf } of entries) {
      hash('sha256', leaf, 'buffer')
      hash('sha256', node, 'buffer')
    }
    for (const chunk of chunks(entries.map(({ event_id: id }) => id))) {
      const rows = await store.read((db) =>
        db.selectFrom('gatebook_event').select(AUDITED_COLUMNS).where('id', 'in', chunk).execute(),
      )
      for (const _ of rows) for (const opening of openings) hash('sha256', opening, 'buffer')
    }
    next = Number(entries.at(-1)!.log_index) + 1
  }
}

/** Bytes that are as many as those of the commitments of one event; all events here have the same form. */
async function openingsOf(store: Store): Promise<Buffer[]> {
  const row = await store.db
    .selectFrom('gatebook_event')
    .selectAll()
    .where('type', '=', 'login.succeeded')
    .orderBy('number', 'desc')
    .limit(1)
    .executeTakeFirstOrThrow()
  return Object.entries(committedFields(row as EventColumns)).map(([kind, fields]) =>
    Buffer.alloc(`gatebook-commit/v1\n${kind}\n`.length + SALT_BYTES + Buffer.byteLength(formatCanonical(fields))),
  )
}

async function timeOf(work: () => Promise<void>): Promise<number> {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1000
}

function createMemoryWatch(): { look(part: number): void; growth(): number } {
  let first: number | null = null
  let most = 0
  return {
    look(part) {
      const { rss } = process.memoryUsage()
      if (part >= 0.1) first ??= rss
      most = Math.max(most, rss)
    },
    growth: () => Math.max(0, most - (first ?? most)) / 2 ** 20,
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { events: { type: 'string', default: '1000000' }, rounds: { type: 'string', default: '3' } },
  })
  const found = await findEngines()
  for (const { name, why } of found.missing) console.error(`${name}: ${why}`)
  try {
    for (const address of found.engines) {
      const figures = await benchAudit(openEngine(address), Number(values.events), Number(values.rounds))
      const { engine, events, seconds, ratio, growthMebibytes } = figures
      const verdict =
        ratio <= AUDIT_BAR && growthMebibytes <= AUDIT_MEMORY_MEBIBYTES ? 'meets its bars' : 'MISSES A BAR'
      const took = `audit ${seconds.audit.toFixed(1)} s, reading and hashing ${seconds.reference.toFixed(1)} s`
      console.log(
        `${engine}: ${events} events, ${took}, ratio ${ratio.toFixed(2)}, memory +${growthMebibytes.toFixed(0)} MiB: ${verdict}`,
      )
    }
  } finally {
    await found.close()
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
