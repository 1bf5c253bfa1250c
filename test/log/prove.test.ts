import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Gatebook } from '../../src/api.ts'
import { computeLeafHash } from '../../src/proof/hash.ts'
import { parseReceipt, verifyReceipt } from '../../src/proof/receipt.ts'
import { encodeUtf8 } from '../../src/util/bytes.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openGate, openOwnGate, type Person, scenario, type TestGate, until } from '../support/gate.ts'
import { allSigned, KEY } from './sign-log.ts'

/** What an auditor does, who has the receipt and the public key and nothing else. */
async function check(gate: Gatebook, eventId: string): Promise<number> {
  const { proof, leaf, size } = await gate.log.prove(eventId)
  const policy = { origin: KEY.name, logKeys: [KEY.verifierKey] }
  const opened = verifyReceipt(parseReceipt(proof), computeLeafHash(encodeUtf8(leaf)), policy)
  expect(opened.checkpoint.size).toBe(size)
  expect(JSON.parse(leaf)).toMatchObject({ id: eventId })
  return parseReceipt(proof).index
}

describe.each(availableEngines)('receipts on $name', (engine) => {
  let on: TestGate
  let anna: Person & { readonly userId: string }
  let ids: string[]
  beforeAll(async () => {
    on = await openGate(engine)
    const person = on.person()
    const { userId } = await on.gate.register(person, person.context)
    anna = { ...person, userId }
    for (let at = 0; at < 530; at += 10) {
      await Promise.all(
        Array.from({ length: 10 }, (_, more) =>
          on.gate.log.append({ type: 'app.order.placed', userId, data: { order: at + more } }),
        ),
      )
    }
    await allSigned(on)
    const rows = await on.direct.kysely.selectFrom('gatebook_entry').select('event_id').orderBy('log_index').execute()
    ids = rows.map(({ event_id: id }) => id)
  })
  afterAll(() => on.close())

  test('verify with the public key alone, at every place that is special', async () => {
    const places = [0, 1, 254, 255, 256, 257, 511, 512, ids.length - 1]
    for (const place of places) expect(await check(on.gate, ids[place]!)).toBe(place)
  })

  test('carry the opening of both classes, and only what was not forgotten', async () => {
    const [event] = (await on.gate.log.search({ type: 'user.registered' })).items
    const receipt = await on.gate.log.prove(event!.id)
    expect(receipt.opening.id?.fields).toMatchObject({ subject: anna.userId, identifier: anna.identifier })
    expect(receipt.opening.net?.fields).toEqual({ ip: anna.context.ip, ip_source: 'socket', user_agent: 'test/1' })

    const { kysely } = on.direct
    const forgotten = { ip: null, ip_key: null, ip_source: null, user_agent: null, device_id: null, salt_net: null }
    await kysely.updateTable('gatebook_event').set(forgotten).where('id', '=', event!.id).execute()
    expect((await on.gate.log.prove(event!.id)).opening).toEqual({ id: receipt.opening.id, net: null })
    await kysely.deleteFrom('gatebook_event').where('id', '=', event!.id).execute()
    expect((await on.gate.log.prove(event!.id)).opening).toEqual({ id: null, net: null })
    await check(on.gate, event!.id)
  })

  test('leave log.exported for whoever asks with a context, and nothing for the application itself', async () => {
    const leaves = await scenario(on)
    await on.gate.log.prove(ids[7]!)
    await leaves.expectEvents([])
    await on.gate.log.prove(ids[7]!, { ...anna.context, actor: { kind: 'admin', id: 'usr_x' } })
    await leaves.expectEvents([
      {
        event: 'log.exported success',
        actor: 'admin usr_x',
        from: anna.from,
        data: { format: 'receipt', first: 7, entries: 1 },
      },
    ])
  })

  test('are refused for what is not covered yet, and for what is not there', async () => {
    const own = await openOwnGate(engine, { logSigning: 'off' })
    const id = await own.gate.log.append({ type: 'app.order.placed' })
    await expect(own.gate.log.prove(id)).rejects.toMatchObject({ code: 'ERR_EVENT_PENDING', retryAfterSeconds: 1 })
    const signing = await own.another({ logSigning: 'on' })
    await until('the event is covered', async () => (await codeOf(own.gate.log.prove(id))) === 'no error')
    await check(own.gate, id)
    await check(signing, id)
    expect(await codeOf(own.gate.log.prove('evt_00000000000000000000000000'))).toBe('ERR_EVENT_NOT_FOUND')
    expect(await codeOf(own.gate.log.prove("evt_' OR 1=1 --"))).toBe('ERR_EVENT_NOT_FOUND')
    // Without the key, what the database says of it is all that there is.
    await own.direct.kysely.deleteFrom('gatebook_meta').where('name', '=', 'log:key').execute()
    expect(await codeOf(own.gate.log.prove(id))).toBe('ERR_LOG_TAMPERED')
    await check(signing, id)
  })

  test('tell an entry that was pruned from one that never was', async () => {
    const { kysely } = on.direct
    const gone = await kysely.selectFrom('gatebook_entry').selectAll().where('log_index', '<', 256).execute()
    await kysely.deleteFrom('gatebook_entry').where('log_index', '<', 256).execute()
    await kysely.updateTable('gatebook_log_state').set({ pruned: 256 }).execute()
    try {
      expect(await codeOf(on.gate.log.prove(ids[0]!))).toBe('ERR_ENTRY_PRUNED')
      expect(await codeOf(on.gate.log.prove('evt_7zzzzzzzzzzzzzzzzzzzzzzzzz'))).toBe('ERR_EVENT_NOT_FOUND')
      // Entries behind the pruned ones are proved as before.
      for (const place of [256, 300, 511, 512]) expect(await check(on.gate, ids[place]!)).toBe(place)
    } finally {
      await kysely.insertInto('gatebook_entry').values(gone).execute()
      await kysely.updateTable('gatebook_log_state').set({ pruned: 0 }).execute()
    }
  })
})

/** Somebody who can write to the database and has no key. */
describe.each(availableEngines)('a database that somebody has changed, on $name', (engine) => {
  async function open(count = 20): Promise<TestGate & { readonly ids: readonly string[] }> {
    const on = await openOwnGate(engine)
    const append = () => on.gate.log.append({ type: 'app.order.placed', userId: 7 }, { ip: '203.0.113.7' })
    for (let at = 0; at < count; at += 20) await Promise.all(Array.from({ length: 20 }, append))
    await allSigned(on)
    const rows = await on.direct.kysely.selectFrom('gatebook_entry').select('event_id').orderBy('log_index').execute()
    return { ...on, ids: rows.map(({ event_id: id }) => id) }
  }

  const bytes = Buffer.alloc(32, 7)

  test.each<readonly [string, string, (on: TestGate & { readonly ids: readonly string[] }) => Promise<unknown>]>([
    [
      'the leaf of the event',
      'entry 5 .*is that of another event, or is none',
      ({ direct }) =>
        direct.kysely
          .updateTable('gatebook_entry')
          .set({ leaf: Buffer.from('{"v":1}') })
          .where('log_index', '=', 5)
          .execute(),
    ],
    [
      'the hash of a neighbour',
      'entry 5 .*does not lead to the root hash',
      ({ direct }) =>
        direct.kysely.updateTable('gatebook_entry').set({ leaf_hash: bytes }).where('log_index', '=', 4).execute(),
    ],
    [
      'a neighbour that is gone',
      'entry 5 .*32 bytes for each hash',
      ({ direct }) => direct.kysely.deleteFrom('gatebook_entry').where('log_index', '=', 9).execute(),
    ],
    [
      'a column of the event',
      'columns of gatebook_event are not what the leaf commits to \\(class id\\)',
      ({ direct, ids }) =>
        direct.kysely.updateTable('gatebook_event').set({ subject_id: '8' }).where('id', '=', ids[5]!).execute(),
    ],
    [
      'the address of the event',
      'class net',
      ({ direct, ids }) =>
        direct.kysely.updateTable('gatebook_event').set({ ip: '203.0.113.8' }).where('id', '=', ids[5]!).execute(),
    ],
    [
      'the checkpoint',
      'the checkpoint of size \\d+: A signature by a key that is known is wrong',
      async ({ direct }) => {
        const { note } = await direct.kysely.selectFrom('gatebook_checkpoint').select('note').executeTakeFirstOrThrow()
        const forged = note.replace(/^(.*\n\d+\n)..../, '$1AAAA')
        await direct.kysely.updateTable('gatebook_checkpoint').set({ note: forged }).execute()
      },
    ],
    [
      'the size of the checkpoint',
      'of size 10031: The log has fewer entries',
      async ({ direct }) => {
        const { size } = await direct.kysely
          .selectFrom('gatebook_checkpoint')
          .select('size')
          .orderBy('size', 'desc')
          .executeTakeFirstOrThrow()
        await direct.kysely.updateTable('gatebook_checkpoint').set({ size: 10_031 }).where('size', '=', size).execute()
      },
    ],
  ])('gives no receipt: %s', async (_, detail, change) => {
    const on = await open()
    expect(await codeOf(on.gate.log.prove(on.ids[5]!))).toBe('no error')
    await change(on)
    await expect(on.gate.log.prove(on.ids[5]!)).rejects.toMatchObject({
      code: 'ERR_LOG_TAMPERED',
      detail: expect.stringMatching(detail),
    })
  })

  test('gives no receipt of an entry whose tile was changed, nor of an event that has lost its entry', async () => {
    const on = await open(700)
    await on.direct.kysely
      .updateTable('gatebook_tile')
      .set({ hashes: Buffer.alloc(64, 7) })
      .execute()
    await expect(on.gate.log.prove(on.ids[600]!)).rejects.toMatchObject({ code: 'ERR_LOG_TAMPERED' })
    await on.direct.kysely.deleteFrom('gatebook_entry').where('log_index', '=', 650).execute()
    await expect(on.gate.log.prove(on.ids[650]!)).rejects.toMatchObject({
      code: 'ERR_LOG_TAMPERED',
      detail: expect.stringContaining('has no entry'),
    })
  })
})
