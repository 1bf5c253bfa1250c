import { describe, expect, test, vi } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { openOwnGate, type TestGate } from '../support/gate.ts'
import { codesOf, expectClean, runAudit } from './audit/signed-log.ts'
import { fillLog } from './fill-log.ts'
import { allPublished } from './sign-log.ts'

vi.setConfig({ testTimeout: 120_000 })

const DAY = 86_400_000

/** Some 850 entries, of which 512 were pruned, and what went. */
async function openPruned(engine: (typeof availableEngines)[number]) {
  const days = { networkDays: 30, adminNetworkDays: 30, highVolumeDays: 30, mediumVolumeDays: 30, lowVolumeDays: 30 }
  const on = await openOwnGate(engine, { ...days, adminEventDays: 365 })
  await fillLog(on, 300)
  await allPublished(on)
  await fillLog(on, 250)
  await allPublished(on)
  on.clock.advance(400 * DAY)
  await fillLog(on, 300)
  await allPublished(on)
  const { kysely } = on.direct
  const entries = await kysely.selectFrom('gatebook_entry').selectAll().where('log_index', '<', 512).execute()
  const ids = entries.map(({ event_id: id }) => id)
  const events = await kysely.selectFrom('gatebook_event').selectAll().where('id', 'in', ids).execute()
  expect(await on.gate.log.prune()).toMatchObject({ first: 512 })
  await allPublished(on)
  /** As a kill leaves it, which took so many. */
  const putBack = async (from: number): Promise<void> => {
    const left = entries.filter(({ log_index: index }) => Number(index) >= from)
    const there = new Set(left.map(({ event_id: id }) => id))
    for (let at = 0; at < left.length; at += 32) {
      await kysely
        .insertInto('gatebook_entry')
        .values(left.slice(at, at + 32))
        .execute()
    }
    const rows = events
      .filter(({ id }) => there.has(id))
      .map(({ time_utc: _made, ...row }: Record<string, unknown>) => row)
    for (let at = 0; at < rows.length; at += 8) {
      await kysely
        .insertInto('gatebook_event')
        .values(rows.slice(at, at + 8) as never)
        .execute()
    }
  }
  return { on, putBack, kysely }
}

const firstOf = async ({ direct: { kysely } }: TestGate): Promise<number> => {
  const row = await kysely
    .selectFrom('gatebook_entry')
    .select('log_index')
    .orderBy('log_index')
    .limit(1)
    .executeTakeFirstOrThrow()
  return Number(row.log_index)
}

describe.each(availableEngines)('a pruning that was stopped, on $name', (engine) => {
  test('is no finding, and the next one finishes it', async () => {
    const { on, putBack } = await openPruned(engine)
    for (const from of [256, 0]) {
      await putBack(from)
      expect(await firstOf(on)).toBe(from)
      const audited = await runAudit(on)
      expectClean(audited)
      expect(audited.summary!.entries).toBe(audited.summary!.size - from)
      expect(await on.gate.log.prune()).toMatchObject({ from: 512, first: 512 })
      expect(await firstOf(on)).toBe(512)
      expectClean(await runAudit(on))
    }
    const pruned = (await on.events()).filter(({ type }) => type === 'log.pruned')
    expect(pruned).toHaveLength(1)
  })

  test('waits for a hold that was placed meanwhile', async () => {
    const { on, putBack } = await openPruned(engine)
    await putBack(256)
    const hold = await on.gate.log.holds.add({ userId: '5', reason: 'incident' })
    expect(await on.gate.log.prune()).toMatchObject({ from: 512, first: 512, limit: 'hold', hold: hold.id })
    expect(await firstOf(on)).toBe(256)
    await allPublished(on)
    expectClean(await runAudit(on))
    await on.gate.log.holds.release(hold.id)
    await on.gate.log.prune()
    expect(await firstOf(on)).toBe(512)
  })

  test('goes on under an announcement alone, and hides nothing else', async () => {
    const { on, putBack, kysely } = await openPruned(engine)
    // Put in again, with a gap.
    await putBack(256)
    const row = kysely.selectFrom('gatebook_entry').select('event_id').where('log_index', '=', 300)
    const { event_id: id } = await row.executeTakeFirstOrThrow()
    await kysely.deleteFrom('gatebook_entry').where('log_index', '=', 300).execute()
    await kysely.deleteFrom('gatebook_event').where('id', '=', id).execute()
    expect(codesOf(await runAudit(on))).toContain('entry-missing')
    await on.gate.log.prune()
    expectClean(await runAudit(on))
    // One block more than was announced.
    const more = await kysely.selectFrom('gatebook_entry').select('event_id').where('log_index', '<', 768).execute()
    await kysely.updateTable('gatebook_log_state').set({ pruned: 768 }).execute()
    expect(codesOf(await runAudit(on))).toEqual(['entry-superfluous', 'pruned-without-event'])
    expect(await firstOf(on)).toBe(512)
    await on.another()
    await kysely
      .deleteFrom('gatebook_event')
      .where(
        'id',
        'in',
        more.map(({ event_id: id }) => id),
      )
      .execute()
    await kysely.deleteFrom('gatebook_entry').where('log_index', '<', 768).execute()
    expect(codesOf(await runAudit(on))).toContain('pruned-without-event')
  })

  test('is compared with older checkpoints by the proofs that were kept', async () => {
    const { on, kysely } = await openPruned(engine)
    const row = await kysely
      .selectFrom('gatebook_checkpoint')
      .selectAll()
      .where('proof', 'is not', null)
      .orderBy('size')
      .limit(1)
      .executeTakeFirstOrThrow()
    const set = (proof: Uint8Array | null) =>
      kysely.updateTable('gatebook_checkpoint').set({ proof }).where('size', '=', row.size).execute()
    const flipped = Buffer.from(row.proof!)
    flipped[3]! ^= 1
    await set(flipped)
    expect(codesOf(await runAudit(on))).toEqual(['root-differs'])
    await set(null)
    const { summary } = await runAudit(on)
    expect(summary).toMatchObject({ findings: 0, counts: { 'checkpoint-unlinked': 1 } })
    await set(row.proof)
    expectClean(await runAudit(on))
  })
})
