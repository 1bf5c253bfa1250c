import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { encodeCanonical } from '../../../src/event/canonical.ts'
import { computeCommitment, generateSalt } from '../../../src/event/commitment.ts'
import type { EventData } from '../../../src/event/event.ts'
import { computeLeafHash, computeWriterMac } from '../../../src/log/leaf.ts'
import { formatCheckpoint } from '../../../src/proof/checkpoint.ts'
import { signNote } from '../../../src/proof/note.ts'
import { parseSigningKey } from '../../../src/proof/note-key.ts'
import { parseMasterSecret } from '../../../src/secret/master-secret.ts'
import { generateId } from '../../../src/util/id.ts'
import { availableEngines } from '../../support/engines.ts'
import { SECRET, type TestGate } from '../../support/gate.ts'
import { LOG_KEY } from '../../support/log-signing.ts'
import { codesOf, expectClean, openSignedLog, runAudit, signed } from './signed-log.ts'

const MAC_KEY = parseMasterSecret(SECRET, 'secret').deriveCurrentKey('writer-mac')

/** An event as retention, erasure or a restore leave it, by the writer of this installation. */
async function leave({ clock, direct }: TestGate, type: string, data: EventData): Promise<void> {
  const { kysely, traits } = direct
  const at = clock.now()
  const id = generateId('event', at)
  const salts = { salt_id: Buffer.from(generateSalt()), salt_net: Buffer.from(generateSalt()) }
  const commit = {
    id: computeCommitment('id', salts.salt_id, {}),
    net: computeCommitment('net', salts.salt_net, {}),
  }
  const said = { v: 1, id, type, outcome: 'success', at, actor: 'system', data, commit }
  const leaf = Buffer.from(encodeCanonical(said))
  const leafHash = Buffer.from(computeLeafHash(leaf))
  const mac = computeWriterMac(MAC_KEY, id, leafHash)
  const columns = { id, type, outcome: 'success', at, actor_kind: 'system', ...salts }
  await kysely.transaction().execute(async (db) => {
    const row = { ...columns, data: Buffer.from(encodeCanonical(data)).toString() }
    await db
      .insertInto('gatebook_event')
      .values(row as never)
      .execute()
    if (traits.queued) {
      await db.insertInto('gatebook_queue').values({ event_id: id, leaf, mac, rejected_at: null }).execute()
      return
    }
    const { size } = await db.selectFrom('gatebook_log_state').select('size').executeTakeFirstOrThrow()
    await db
      .insertInto('gatebook_entry')
      .values({ log_index: Number(size), event_id: id, leaf, leaf_hash: leafHash, mac })
      .execute()
    await db
      .updateTable('gatebook_log_state')
      .set({ size: Number(size) + 1 })
      .execute()
  })
}

const FORGOTTEN_IDENTITY = {
  ...{ salt_id: null, subject_id: null, subject_number: null, identifier: null, identifier_mask: null },
  ...{ identifier_hmac: null, identifier_key: null, actor_id: null },
}
const FORGOTTEN_NETWORK = { ip: null, ip_key: null, ip_source: null, user_agent: null, device_id: null, salt_net: null }

const idsOf = async ({ direct }: TestGate, type: string): Promise<string[]> =>
  (await direct.kysely.selectFrom('gatebook_event').select('id').where('type', '=', type).execute()).map(({ id }) => id)

/** Something is signed after what was left, so that a checkpoint covers it. */
async function settle(on: TestGate): Promise<void> {
  await on.gate.log.append({ type: 'app.tick', outcome: 'success' })
  await signed(on)
}

describe.each(availableEngines)('on $name the log explains', (engine) => {
  test('events and network data that have expired, and no others', async () => {
    const on = await openSignedLog(engine)
    const { kysely } = on.direct
    const before = on.clock.now() + 1
    await kysely.deleteFrom('gatebook_event').where('type', '=', 'login.failed').execute()
    await kysely.updateTable('gatebook_event').set(FORGOTTEN_NETWORK).where('type', '=', 'session.refreshed').execute()
    expect(codesOf(await runAudit(on))).toEqual(['event-missing', 'opening-missing'])
    await leave(on, 'log.expired', { class: 'net', actors: 'users', before: before - 1, count: 2 })
    await leave(on, 'log.expired', { class: 'event', actors: 'users', volume: 'low', before, count: 2 })
    await leave(on, 'log.expired', { class: 'event', actors: 'admins', volume: 'high', before, count: 2 })
    await settle(on)
    expect(codesOf(await runAudit(on))).toEqual(['event-missing', 'opening-missing'])
    await leave(on, 'log.expired', { class: 'net', actors: 'users', before, count: 2 })
    expect(codesOf(await runAudit(on))).toEqual(['event-missing'])
    await leave(on, 'log.expired', { class: 'event', actors: 'users', volume: 'high', before, count: 2 })
    expectClean(await runAudit(on))
  })

  test('as many openings as erasures have taken, of what was there before them', async () => {
    const on = await openSignedLog(engine)
    const { kysely } = on.direct
    const ids = await idsOf(on, 'session.ended')
    expect(ids).toHaveLength(2)
    await kysely
      .updateTable('gatebook_event')
      .set({ ...FORGOTTEN_IDENTITY, ...FORGOTTEN_NETWORK })
      .where('id', 'in', ids)
      .execute()
    const { findings } = await runAudit(on)
    expect(findings.map(({ code, eventId, detail }) => [code, eventId, detail])).toEqual([
      ['opening-missing', ids[0], 'class id'],
      ['opening-missing', ids[1], 'class id'],
      ['opening-missing', ids[0], 'class net'],
      ['opening-missing', ids[1], 'class net'],
    ])
    await leave(on, 'log.erased', { scope: 'user', events: 1, networks: 2 })
    await settle(on)
    expect((await runAudit(on)).findings.map(({ code, detail }) => [code, detail])).toEqual([
      ['opening-missing', 'class id: 2 are gone, 1 more than erasures have taken'],
    ])
    await leave(on, 'log.erased', { scope: 'user', events: 1, networks: 0 })
    await settle(on)
    expectClean(await runAudit(on))
    const [late] = await idsOf(on, 'log.audited')
    const newest = { ...FORGOTTEN_IDENTITY, salt_id: null }
    await kysely.updateTable('gatebook_event').set(newest).where('id', '=', late!).execute()
    await leave(on, 'log.erased', { scope: 'user', events: 0, networks: 9 })
    expect(codesOf(await runAudit(on))).toEqual(['opening-missing'])
  })

  test('checkpoints of an earlier epoch that are beyond the backup that was restored, as far as it knew of them', async () => {
    const on = await openSignedLog(engine)
    const size = await signed(on)
    const key = parseSigningKey(LOG_KEY)
    const lost = join(tmpdir(), `gatebook-lost-${process.pid}-${engine.name}`)
    const text = formatCheckpoint({ origin: key.name, size: size + 1000, rootHash: new Uint8Array(32) })
    await writeFile(lost, signNote(text, key))
    expect(codesOf(await runAudit(on, { checkpoints: [lost] }))).toEqual(['log-truncated'])
    await leave(on, 'log.epoch', { epoch: 2, size, previous_size: size + 999 })
    expect(codesOf(await runAudit(on, { checkpoints: [lost] }))).toEqual(['log-truncated'])
    await leave(on, 'log.epoch', { epoch: 2, size, previous_size: size + 1000 })
    const { findings, summary } = await runAudit(on, { checkpoints: [lost] })
    expect(findings.map(({ code, severity }) => [code, severity])).toEqual([['epoch-restored', 'note']])
    expect(summary).toMatchObject({ findings: 0 })
  })

  test('nothing by an event that no writer has written', async () => {
    const on = await openSignedLog(engine)
    const { kysely } = on.direct
    await kysely.deleteFrom('gatebook_event').where('type', '=', 'login.failed').execute()
    const row = {
      ...{ id: generateId('event', 1), type: 'log.expired', outcome: 'success', at: 1, actor_kind: 'system' },
      data: '{"actors":"users","before":9999999999999,"class":"event","volume":"high"}',
    }
    await kysely
      .insertInto('gatebook_event')
      .values(row as never)
      .execute()
    expect(codesOf(await runAudit(on))).toEqual(['event-missing', 'event-without-entry'])
  })
})
