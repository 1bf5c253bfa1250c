import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Kysely, sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Gatebook } from '../../../src/api.ts'
import { encodeCanonical } from '../../../src/event/canonical.ts'
import type { FindingCode } from '../../../src/log/audit/findings.ts'
import { formatCheckpoint, parseCheckpoint } from '../../../src/proof/checkpoint.ts'
import { computeLeafHash } from '../../../src/proof/hash.ts'
import { parseNote, signNote } from '../../../src/proof/note.ts'
import { formatVerifierKey, parseSigningKey } from '../../../src/proof/note-key.ts'
import type { Tables } from '../../../src/store/tables.ts'
import { generateId } from '../../../src/util/id.ts'
import { availableEngines } from '../../support/engines.ts'
import { openGate, type TestGate } from '../../support/gate.ts'
import { guardOf, LOG_KEY } from '../../support/log-signing.ts'
import { codesOf, live, runAudit, signed } from './signed-log.ts'
import { takeSnapshot } from './snapshot.ts'

/** What somebody does to the log, and what the audit calls it. Whatever else it finds follows from it. */
interface Tampering {
  readonly what: string
  readonly found: readonly FindingCode[]
  /** What of `found` is all that there is. */
  readonly alone?: true
  readonly act: (on: Scene) => Promise<void>
  /** Only where events wait in a queue, or only where they do not. */
  readonly queued?: boolean
}

interface Scene {
  readonly db: Kysely<Tables>
  /** Entries that a checkpoint covers. */
  readonly size: number
  /** Place of an entry with personal and network data. */
  readonly place: number
  readonly eventId: string
  /** Of an event that was committed after the last signature. */
  readonly pendingId: string
  readonly anchor: string
  readonly guard: string
}

const KEY = parseSigningKey(LOG_KEY)
const VKEY = formatVerifierKey(KEY.verifierKey)

const flip = (bytes: Uint8Array, at: number): Buffer => {
  const copy = Buffer.from(bytes)
  copy[at] = copy[at]! ^ 1
  return copy
}

const entry = (db: Kysely<Tables>, place: number) =>
  db.selectFrom('gatebook_entry').selectAll().where('log_index', '=', place).executeTakeFirstOrThrow()

const edit = (column: string, value: unknown): Pick<Tampering, 'act'> => ({
  act: async ({ db, eventId }) => {
    await db
      .updateTable('gatebook_event')
      .set({ [column]: value })
      .where('id', '=', eventId)
      .execute()
  },
})

async function cutOff({ db }: Scene, size: number): Promise<void> {
  const gone = await db.selectFrom('gatebook_entry').select('event_id').where('log_index', '>=', size).execute()
  await db
    .deleteFrom('gatebook_event')
    .where(
      'id',
      'in',
      gone.map(({ event_id: id }) => id),
    )
    .execute()
  await db.deleteFrom('gatebook_queue').execute()
  const placed = db.selectFrom('gatebook_entry').select('event_id')
  await db.deleteFrom('gatebook_event').where('id', 'not in', placed).execute()
  await db.deleteFrom('gatebook_entry').where('log_index', '>=', size).execute()
  await db.updateTable('gatebook_log_state').set({ size }).execute()
}

async function move(db: Kysely<Tables>, from: number, to: number): Promise<void> {
  await db.updateTable('gatebook_entry').set({ log_index: to }).where('log_index', '=', from).execute()
}

const TAMPERINGS: readonly Tampering[] = [
  {
    what: 'a leaf is edited',
    found: ['entry-hash', 'root-differs'],
    act: async ({ db, place }) => {
      const { leaf } = await entry(db, place)
      await db
        .updateTable('gatebook_entry')
        .set({ leaf: flip(leaf, 12) })
        .where('log_index', '=', place)
        .execute()
    },
  },
  {
    what: 'a leaf hash is edited',
    found: ['entry-hash'],
    alone: true,
    act: async ({ db, place }) => {
      const { leaf_hash: hash } = await entry(db, place)
      const changed = { leaf_hash: flip(hash, 0) }
      await db.updateTable('gatebook_entry').set(changed).where('log_index', '=', place).execute()
    },
  },
  {
    what: 'history is rewritten: leaf, hash and event agree',
    found: ['root-differs', 'tile-differs'],
    alone: true,
    act: async ({ db, place, eventId }) => {
      const said = JSON.parse(Buffer.from((await entry(db, place)).leaf).toString())
      const leaf = Buffer.from(encodeCanonical({ ...said, outcome: 'denied' }))
      const changed = { leaf, leaf_hash: Buffer.from(computeLeafHash(leaf)) }
      await db.updateTable('gatebook_entry').set(changed).where('log_index', '=', place).execute()
      await db.updateTable('gatebook_event').set({ outcome: 'denied' }).where('id', '=', eventId).execute()
    },
  },
  {
    what: 'a leaf has another form of the same content',
    found: ['entry-malformed', 'root-differs'],
    act: async ({ db, place }) => {
      const leaf = Buffer.from(`${Buffer.from((await entry(db, place)).leaf).toString()} `)
      const changed = { leaf, leaf_hash: Buffer.from(computeLeafHash(leaf)) }
      await db.updateTable('gatebook_entry').set(changed).where('log_index', '=', place).execute()
    },
  },
  {
    what: 'an entry is deleted',
    found: ['entry-missing', 'event-without-entry', 'root-differs'],
    act: async ({ db, place }) => {
      await db.deleteFrom('gatebook_entry').where('log_index', '=', place).execute()
    },
  },
  {
    what: 'an entry is deleted, and the others close the gap',
    found: ['event-without-entry', 'log-truncated', 'size-differs', 'tile-differs'],
    act: async ({ db, size, place }) => {
      await db.deleteFrom('gatebook_entry').where('log_index', '=', place).execute()
      for (let at = place; at < size - 1; at++) await move(db, at + 1, at)
      await db.deleteFrom('gatebook_entry').where('log_index', '>=', size).execute()
    },
  },
  {
    what: 'an entry is inserted in the middle',
    found: ['event-missing', 'root-differs'],
    act: async ({ db, place }) => {
      const rows = await db.selectFrom('gatebook_entry').select('log_index').orderBy('log_index', 'desc').execute()
      for (const { log_index: at } of rows) if (Number(at) >= place) await move(db, Number(at), Number(at) + 1)
      const id = generateId('event', 1)
      const said = JSON.parse(Buffer.from((await entry(db, place + 1)).leaf).toString())
      const leaf = Buffer.from(encodeCanonical({ ...said, id }))
      const row = { log_index: place, event_id: id, leaf, leaf_hash: Buffer.from(computeLeafHash(leaf)), mac: null }
      await db.insertInto('gatebook_entry').values(row).execute()
      await db
        .updateTable('gatebook_log_state')
        .set({ size: rows.length + 1 })
        .execute()
    },
  },
  {
    what: 'an entry is inserted at the end',
    found: ['entry-forged', 'event-missing'],
    alone: true,
    act: async ({ db, place }) => {
      const { size } = await db.selectFrom('gatebook_log_state').select('size').executeTakeFirstOrThrow()
      const id = generateId('event', 1)
      const said = JSON.parse(Buffer.from((await entry(db, place)).leaf).toString())
      const leaf = Buffer.from(encodeCanonical({ ...said, id }))
      const { mac } = await entry(db, place)
      const row = { log_index: Number(size), event_id: id, leaf, leaf_hash: Buffer.from(computeLeafHash(leaf)), mac }
      await db.insertInto('gatebook_entry').values(row).execute()
      await db
        .updateTable('gatebook_log_state')
        .set({ size: Number(size) + 1 })
        .execute()
    },
  },
  {
    what: 'two entries change places',
    found: ['root-differs', 'tile-differs'],
    alone: true,
    act: async ({ db, place }) => {
      await move(db, place, 1_000_000)
      await move(db, place + 1, place)
      await move(db, 1_000_000, place + 1)
    },
  },
  {
    what: 'two entries change their events',
    found: ['entry-swapped'],
    alone: true,
    act: async ({ db, place }) => {
      const ids = [(await entry(db, place)).event_id, (await entry(db, place + 1)).event_id]
      const set = (at: number, id: string) =>
        db.updateTable('gatebook_entry').set({ event_id: id }).where('log_index', '=', at).execute()
      await set(place, 'evt_meanwhile')
      await set(place + 1, ids[0]!)
      await set(place, ids[1]!)
    },
  },
  {
    what: 'the end is cut off',
    found: ['log-truncated'],
    act: async (on) => cutOff(on, on.size - 3),
  },
  {
    what: 'the database is rolled back, with its checkpoints',
    found: ['checkpoint-missing', 'log-truncated'],
    act: async (on) => {
      await cutOff(on, on.size - 3)
      await on.db
        .deleteFrom('gatebook_checkpoint')
        .where('size', '>', on.size - 3)
        .execute()
    },
  },
  {
    what: 'the database and the guard are rolled back: an anchor tells',
    found: ['log-truncated'],
    act: async (on) => {
      await cutOff(on, on.size - 3)
      const older = signNote(formatCheckpoint({ origin: KEY.name, size: 0, rootHash: computeEmptyRoot() }), KEY)
      await on.db.deleteFrom('gatebook_checkpoint').execute()
      await on.db.deleteFrom('gatebook_tile').execute()
      await writeFile(on.guard, older)
    },
  },
  {
    what: 'the size is set back',
    found: ['size-differs'],
    alone: true,
    act: async ({ db, size }) => {
      await db
        .updateTable('gatebook_log_state')
        .set({ size: size - 5 })
        .execute()
    },
  },
  {
    what: 'the size is raised',
    found: ['size-differs'],
    alone: true,
    act: async ({ db }) => {
      await db.updateTable('gatebook_log_state').set({ size: sql<number>`size + 5` }).execute()
    },
  },
  {
    what: 'the beginning is said to be pruned, and is there',
    found: ['entry-superfluous', 'pruned-without-event'],
    act: async ({ db }) => {
      await db.updateTable('gatebook_log_state').set({ pruned: 256 }).execute()
    },
  },
  {
    what: 'the beginning is cut off',
    found: ['pruned-without-event'],
    act: async ({ db }) => {
      await db.deleteFrom('gatebook_entry').where('log_index', '<', 256).execute()
      await db.updateTable('gatebook_log_state').set({ pruned: 256 }).execute()
    },
  },
  {
    what: 'a tile is edited',
    found: ['tile-differs'],
    alone: true,
    act: async ({ db }) => {
      const { hashes } = await db.selectFrom('gatebook_tile').select('hashes').executeTakeFirstOrThrow()
      await db
        .updateTable('gatebook_tile')
        .set({ hashes: flip(hashes, 3) })
        .execute()
    },
  },
  {
    what: 'a tile is deleted',
    found: ['tile-missing'],
    alone: true,
    act: async ({ db }) => {
      await db.deleteFrom('gatebook_tile').execute()
    },
  },
  {
    what: 'a tile is emptied',
    found: ['tile-missing'],
    alone: true,
    act: async ({ db }) => {
      await db
        .updateTable('gatebook_tile')
        .set({ hashes: Buffer.alloc(0) })
        .execute()
    },
  },
  {
    what: 'a tile goes on behind its end',
    found: ['tile-superfluous'],
    alone: true,
    act: async ({ db }) => {
      const { hashes } = await db.selectFrom('gatebook_tile').select('hashes').executeTakeFirstOrThrow()
      await db
        .updateTable('gatebook_tile')
        .set({ hashes: Buffer.concat([hashes, Buffer.alloc(32)]) })
        .execute()
    },
  },
  {
    what: 'a tile is inserted',
    found: ['tile-superfluous'],
    alone: true,
    act: async ({ db }) => {
      await db
        .insertInto('gatebook_tile')
        .values({ level: 2, place: 0, hashes: Buffer.alloc(32) })
        .execute()
    },
  },
  {
    what: 'the note of a checkpoint is edited',
    found: ['checkpoint-forged'],
    act: async ({ db }) => {
      const rows = await db.selectFrom('gatebook_checkpoint').selectAll().execute()
      for (const { size, note } of rows) {
        const forged = note.replace(`\n${size}\n`, `\n${Number(size) + 1}\n`)
        await db.updateTable('gatebook_checkpoint').set({ note: forged }).where('size', '=', size).execute()
      }
    },
  },
  {
    what: 'a checkpoint is moved to another size',
    found: ['checkpoint-forged'],
    act: async ({ db }) => {
      await db.updateTable('gatebook_checkpoint').set({ size: sql<number>`size - 1` }).execute()
    },
  },
  {
    what: 'the checkpoints are deleted',
    found: ['checkpoint-missing'],
    alone: true,
    act: async ({ db }) => {
      await db.deleteFrom('gatebook_checkpoint').execute()
    },
  },
  {
    what: 'the guard is edited',
    found: ['guard-forged'],
    alone: true,
    act: async ({ guard }) => {
      await writeFile(
        guard,
        (await readFile(guard, 'utf8')).replace(/\n(\d+)\n/, (_, size) => `\n${Number(size) - 1}\n`),
      )
    },
  },
  {
    what: 'an anchored checkpoint is edited',
    found: ['anchor-forged'],
    alone: true,
    act: async ({ anchor }) => {
      await writeFile(
        anchor,
        (await readFile(anchor, 'utf8')).replace(/\n(\d+)\n/, (_, size) => `\n${Number(size) - 1}\n`),
      )
    },
  },
  {
    what: 'two logs have one origin',
    found: ['fork', 'root-differs'],
    alone: true,
    act: async ({ anchor }) => {
      const note = await readFile(anchor, 'utf8')
      const { origin, size } = parseCheckpoint(parseNote(note).text)
      const other = signNote(formatCheckpoint({ origin, size, rootHash: new Uint8Array(32) }), KEY)
      await writeFile(anchor, `${note}${other}`)
    },
  },
  { what: 'the type of an event is edited', found: ['event-differs'], alone: true, ...edit('type', 'app.harmless') },
  { what: 'the outcome of an event is edited', found: ['event-differs'], alone: true, ...edit('outcome', 'denied') },
  { what: 'the reason of an event is edited', found: ['event-differs'], alone: true, ...edit('reason', 'x') },
  { what: 'the time of an event is edited', found: ['event-differs'], alone: true, ...edit('at', 1) },
  { what: 'the kind of the actor is edited', found: ['event-differs'], alone: true, ...edit('actor_kind', 'admin') },
  { what: 'the session of an event is edited', found: ['event-differs'], alone: true, ...edit('session_id', 'ses_x') },
  { what: 'the token of an event is edited', found: ['event-differs'], alone: true, ...edit('token_id', 'tok_x') },
  { what: 'the method of an event is edited', found: ['event-differs'], alone: true, ...edit('method', 'x') },
  { what: 'the request of an event is edited', found: ['event-differs'], alone: true, ...edit('request_id', 'x') },
  { what: 'the trace of an event is edited', found: ['event-differs'], alone: true, ...edit('trace_id', 'x') },
  { what: 'the data of an event are edited', found: ['event-differs'], alone: true, ...edit('data', '{"a":1}') },
  { what: 'the number of a subject is edited', found: ['event-differs'], alone: true, ...edit('subject_number', 7) },
  { what: 'the key of an address is edited', found: ['event-differs'], alone: true, ...edit('ip_key', 'x') },
  {
    what: 'the subject of an event is edited',
    found: ['opening-differs'],
    alone: true,
    ...edit('subject_id', 'usr_x'),
  },
  { what: 'the actor of an event is edited', found: ['opening-differs'], alone: true, ...edit('actor_id', 'x') },
  { what: 'an identifier is edited', found: ['opening-differs'], alone: true, ...edit('identifier', 'x@y.org') },
  { what: 'a digest of an identifier is edited', found: ['opening-differs'], ...edit('identifier_hmac', 'x') },
  { what: 'the key of an identifier is edited', found: ['opening-differs'], alone: true, ...edit('identifier_key', 9) },
  {
    what: 'an address is edited',
    found: ['event-differs', 'opening-differs'],
    alone: true,
    ...edit('ip', '192.0.2.1'),
  },
  { what: 'a user agent is edited', found: ['opening-differs'], alone: true, ...edit('user_agent', 'x') },
  { what: 'a device is edited', found: ['opening-differs'], alone: true, ...edit('device_id', 'dev_x') },
  { what: 'a salt is edited', found: ['opening-differs'], alone: true, ...edit('salt_id', Buffer.alloc(32)) },
  { what: 'a salt has another length', found: ['opening-differs'], alone: true, ...edit('salt_net', Buffer.alloc(31)) },
  {
    what: 'a salt is removed and the fields stay',
    found: ['opening-differs', 'opening-missing'],
    alone: true,
    ...edit('salt_net', null),
  },
  {
    what: 'personal data are removed',
    found: ['opening-missing'],
    alone: true,
    act: async ({ db, eventId }) => {
      const forgotten = {
        ...{ salt_id: null, subject_id: null, subject_number: null, identifier: null, identifier_mask: null },
        ...{ identifier_hmac: null, identifier_key: null, actor_id: null },
      }
      await db.updateTable('gatebook_event').set(forgotten).where('id', '=', eventId).execute()
    },
  },
  {
    what: 'network data are removed',
    found: ['opening-missing'],
    alone: true,
    act: async ({ db, eventId }) => {
      const forgotten = { ip: null, ip_key: null, ip_source: null, user_agent: null, device_id: null, salt_net: null }
      await db.updateTable('gatebook_event').set(forgotten).where('id', '=', eventId).execute()
    },
  },
  {
    what: 'an event is deleted',
    found: ['event-missing'],
    alone: true,
    act: async ({ db, eventId }) => {
      await db.deleteFrom('gatebook_event').where('id', '=', eventId).execute()
    },
  },
  {
    what: 'an event is made up',
    found: ['event-without-entry'],
    alone: true,
    act: async ({ db, eventId }) => {
      const row = await db.selectFrom('gatebook_event').selectAll().where('id', '=', eventId).executeTakeFirstOrThrow()
      const { number: _number, time_utc: _computed, ...copied } = row as typeof row & { time_utc?: unknown }
      const made = { ...copied, id: generateId('event', 1) }
      await db.insertInto('gatebook_event').values(made).execute()
    },
  },
  {
    what: 'an entry and its event are deleted before they are signed',
    found: ['size-differs'],
    alone: true,
    queued: false,
    act: async ({ db, pendingId }) => {
      await db.deleteFrom('gatebook_entry').where('event_id', '=', pendingId).execute()
      await db.deleteFrom('gatebook_event').where('id', '=', pendingId).execute()
    },
  },
  {
    what: 'an entry is edited before it is signed',
    found: ['entry-forged'],
    queued: false,
    act: async ({ db, pendingId }) => {
      const row = await db
        .selectFrom('gatebook_entry')
        .select('leaf')
        .where('event_id', '=', pendingId)
        .executeTakeFirstOrThrow()
      const leaf = Buffer.from(Buffer.from(row.leaf).toString().replace('success', 'failure'))
      const changed = { leaf, leaf_hash: Buffer.from(computeLeafHash(leaf)) }
      await db.updateTable('gatebook_entry').set(changed).where('event_id', '=', pendingId).execute()
    },
  },
  {
    what: 'a queued event is edited',
    found: ['queue-forged'],
    alone: true,
    queued: true,
    act: async ({ db, pendingId }) => {
      const row = await db
        .selectFrom('gatebook_queue')
        .select('leaf')
        .where('event_id', '=', pendingId)
        .executeTakeFirstOrThrow()
      const leaf = Buffer.from(Buffer.from(row.leaf).toString().replace('success', 'failure'))
      await db.updateTable('gatebook_queue').set({ leaf }).where('event_id', '=', pendingId).execute()
    },
  },
  {
    what: 'a queue row is deleted',
    found: ['event-without-entry'],
    alone: true,
    queued: true,
    act: async ({ db, pendingId }) => {
      await db.deleteFrom('gatebook_queue').where('event_id', '=', pendingId).execute()
    },
  },
  {
    what: 'the event of a queue row is deleted',
    found: ['event-missing'],
    alone: true,
    queued: true,
    act: async ({ db, pendingId }) => {
      await db.deleteFrom('gatebook_event').where('id', '=', pendingId).execute()
    },
  },
  {
    what: 'a column of a queued event is edited',
    found: ['event-differs'],
    alone: true,
    queued: true,
    act: async ({ db, pendingId }) => {
      await db.updateTable('gatebook_event').set({ outcome: 'denied' }).where('id', '=', pendingId).execute()
    },
  },
  {
    what: 'a queue row is made up',
    found: ['queue-forged'],
    alone: true,
    act: async ({ db }) => {
      const row = { event_id: 'evt_x', leaf: Buffer.from('{}'), mac: Buffer.alloc(32), rejected_at: null }
      await db.insertInto('gatebook_queue').values(row).execute()
    },
  },
  {
    what: 'a queue row was kept out of the log',
    found: ['queue-rejected'],
    alone: true,
    act: async ({ db }) => {
      const row = { event_id: 'evt_x', leaf: Buffer.from('{}'), mac: Buffer.alloc(32), rejected_at: 1 }
      await db.insertInto('gatebook_queue').values(row).execute()
    },
  },
]

function computeEmptyRoot(): Uint8Array {
  return Buffer.from('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 'hex')
}

describe.each(availableEngines)('on $name the audit finds that', (engine) => {
  let on: TestGate
  let auditor: Gatebook
  let scene: Scene
  let restore: () => Promise<void>
  let files: readonly (readonly [string, string])[]

  beforeAll(async () => {
    on = await openGate(engine, { checkpointSeconds: 1 })
    await live(on)
    // A tile above the leaves has a hash for each 256 of them.
    for (let at = 0; at < 270; at++) await on.gate.log.append({ type: 'app.tick', outcome: 'success' })
    const size = await signed(on)
    auditor = await on.another({ logSigning: 'off' })
    await on.gate.close()
    const db = on.direct.kysely
    const pendingId = await auditor.log.append({ type: 'app.late', outcome: 'success' })
    const { id: eventId } = await db
      .selectFrom('gatebook_event')
      .select('id')
      .where('type', '=', 'login.succeeded')
      .orderBy('number')
      .executeTakeFirstOrThrow()
    const { log_index: place } = await db
      .selectFrom('gatebook_entry')
      .select('log_index')
      .where('event_id', '=', eventId)
      .executeTakeFirstOrThrow()
    const newest = await db
      .selectFrom('gatebook_checkpoint')
      .select('note')
      .orderBy('size', 'desc')
      .limit(1)
      .executeTakeFirstOrThrow()
    const guard = guardOf(on.database.url)
    const anchor = join(tmpdir(), `gatebook-anchor-${process.pid}-${engine.name}`)
    await writeFile(anchor, newest.note)
    files = [
      [guard, await readFile(guard, 'utf8')],
      [anchor, newest.note],
    ]
    scene = { db, size, place: Number(place), eventId, pendingId, anchor, guard }
    restore = await takeSnapshot(db)
  }, 120_000)
  afterAll(() => on?.close())

  const cases = TAMPERINGS.filter(({ queued }) => queued === undefined || queued === (engine.name !== 'sqlite'))
  const audited = () => runAudit({ gate: auditor }, { keys: [VKEY], checkpoints: [scene.anchor] })

  test('nothing was done', async () => {
    const { findings, summary } = await audited()
    expect(findings).toEqual([])
    expect(summary).toMatchObject({ covered: scene.size, anchored: scene.size })
    await restore()
  })

  test.each(cases)('$what', async ({ act, found, alone }) => {
    try {
      await act(scene)
      const codes = codesOf(await audited())
      expect(codes).toEqual(alone === true ? [...found].sort() : expect.arrayContaining([...found]))
    } finally {
      await restore()
      for (const [path, text] of files) await writeFile(path, text)
    }
  })
})
