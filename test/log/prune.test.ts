import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { EventReceipt, PruningReport } from '../../src/api.ts'
import { openLogDirectory } from '../../src/cli/exported-log/log-directory.ts'
import { type DirectoryReport, verifyDirectory } from '../../src/cli/exported-log/verify-directory.ts'
import { parseVerifierKeys } from '../../src/log/exported/epoch-keys.ts'
import { type ExportReport, exportTiles } from '../../src/log/exported/export-tiles.ts'
import type { GatebookOptions } from '../../src/options.ts'
import { computeLeafHash } from '../../src/proof/hash.ts'
import { formatVerifierKey, generateLogKey } from '../../src/proof/note-key.ts'
import { parseReceipt, verifyReceipt } from '../../src/proof/receipt.ts'
import { encodeUtf8 } from '../../src/util/bytes.ts'
import { availableEngines, type Engine } from '../support/engines.ts'
import { codeOf, openOwnGate, type TestGate, until } from '../support/gate.ts'
import { codesOf, live, runAudit } from './audit/signed-log.ts'
import { fillLog } from './fill-log.ts'
import { allPublished, KEY } from './sign-log.ts'

vi.setConfig({ testTimeout: 120_000 })

const DAY = 86_400_000
/** The least that the options take: everything is kept for a year. */
const YEAR: Partial<GatebookOptions> = {
  networkDays: 30,
  adminNetworkDays: 30,
  highVolumeDays: 30,
  mediumVolumeDays: 30,
  lowVolumeDays: 30,
  adminEventDays: 365,
}
const VKEY = formatVerifierKey(KEY.verifierKey)
const POLICY = { origin: KEY.name, logKeys: [KEY.verifierKey] }

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatebook-prune-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function exportTo({ gate }: TestGate, folder: string): Promise<ExportReport> {
  return exportTiles(gate.log, openLogDirectory(folder), { context: { actor: { kind: 'system', id: 'cli' } } })
}

function verify(folder: string): Promise<DirectoryReport> {
  return verifyDirectory(openLogDirectory(folder), { keys: parseVerifierKeys(VKEY), notes: [] })
}

function holds({ proof, leaf }: EventReceipt): void {
  verifyReceipt(parseReceipt(proof), computeLeafHash(encodeUtf8(leaf)), POLICY)
}

const places = async ({ direct }: TestGate): Promise<number[]> => {
  const rows = await direct.kysely.selectFrom('gatebook_entry').select('log_index').orderBy('log_index').execute()
  return rows.map(({ log_index: index }) => Number(index))
}

const countEvents = async ({ direct }: TestGate): Promise<number> =>
  Number(
    (
      await direct.kysely
        .selectFrom('gatebook_event')
        .select((eb) => eb.fn.countAll<number>().as('rows'))
        .executeTakeFirstOrThrow()
    ).rows,
  )

/** What the anchors have kept: every checkpoint that was published, in a file. */
async function keepCheckpoints(on: TestGate): Promise<string> {
  const notes: string[] = []
  for await (const { note } of on.gate.log.checkpoints()) notes.push(note)
  const file = join(newFolder(), 'anchor')
  writeFileSync(file, notes.join('\n'))
  return file
}

/** A log with checkpoints at sizes that are no multiples of anything, a year later. */
async function openOldLog(engine: Engine, options: Partial<GatebookOptions> = {}): Promise<TestGate> {
  const on = await openOwnGate(engine, { ...YEAR, ...options })
  await live(on)
  for (const { id } of (await on.gate.users.list()).items) await on.gate.sessions.endAll(id, 'ended-by-admin')
  for (const count of [5, 230, 3, 400]) {
    await fillLog(on, count)
    await allPublished(on)
  }
  on.clock.advance(400 * DAY)
  return on
}

const NOTHING = { lasting: 0, before: null, hold: null }

describe.each(availableEngines)('pruning on $name', (engine) => {
  test('takes the beginning, twice, and leaves all proofs as good as they were', async () => {
    const on = await openOldLog(engine)
    const { gate, clock } = on
    await gate.log.expire()
    await fillLog(on, 40)
    await allPublished(on)
    const idOf = async (index: number): Promise<string> =>
      (
        await on.direct.kysely
          .selectFrom('gatebook_entry')
          .select('event_id')
          .where('log_index', '=', index)
          .executeTakeFirstOrThrow()
      ).event_id
    const ids = await Promise.all([0, 1, 100, 255, 256, 400, 511, 512].map(idOf))
    const receipts: EventReceipt[] = []
    for (const id of ids) receipts.push(await gate.log.prove(id))
    const anchor = await keepCheckpoints(on)
    const whole = newFolder()
    await exportTo(on, whole)
    const seen = new Set((await on.events()).map(({ id }) => id))
    const told = async () =>
      (await on.events())
        // The clock has leapt, and whoever looks after the signing keys finds one that is due when its turn comes.
        .filter(({ id, type }) => !seen.has(id) && !type.startsWith('key.'))
        .map(({ type, actor, data }) => ({ type, actor, data }))

    const actor = { kind: 'system', id: 'cli' } as const
    const preview = await gate.log.prune({ dryRun: true })
    expect(preview).toEqual({
      dryRun: true,
      from: 0,
      first: 512,
      lasting: expect.any(Number),
      before: expect.any(Number),
      limit: 'retention',
      hold: null,
    } satisfies Record<keyof PruningReport, unknown>)
    expect(preview.lasting).toBeGreaterThan(2)
    expect(clock.now() - preview.before!).toBeGreaterThan(365 * DAY)
    expect(await told()).toEqual([])
    expect((await places(on))[0]).toBe(0)

    expect(await gate.log.prune({}, { actor })).toEqual({ ...preview, dryRun: false })
    const { lasting, before } = preview
    const data = { first: 512, entries: 512, lasting, before }
    expect(await told()).toEqual([{ type: 'log.pruned', actor, data }])
    const left = await places(on)
    expect(left[0]).toBe(512)
    expect(await countEvents(on)).toBeLessThanOrEqual(left.length + 1)
    expect(await gate.log.find(ids[3]!)).toBeNull()
    expect(await codeOf(gate.log.prove(ids[3]!))).toBe('ERR_ENTRY_PRUNED')
    expect(await gate.log.prune()).toEqual({ dryRun: false, from: 512, first: 512, limit: 'retention', ...NOTHING })
    expect(await told()).toHaveLength(1)

    for (const receipt of receipts) holds(receipt)
    await allPublished(on)
    for (const reconcile of [false, true]) {
      const audited = await runAudit(on, { checkpoints: [anchor], reconcile })
      expect(codesOf(audited)).toEqual([])
      // Rows of users who came with what was pruned can be compared with nothing.
      expect(Object.keys(audited.summary!.counts)).toEqual(reconcile ? ['event-pruned'] : [])
      expect(audited.summary!.anchored).toBeGreaterThan(512)
    }
    const once = newFolder()
    const exported = await exportTo(on, once)
    expect(exported.first).toBe(512)
    expect(await verify(once)).toMatchObject({ first: 512, findings: [], checkpoints: exported.checkpoints })
    expect(exported.checkpoints).toBeGreaterThanOrEqual(5)

    // A year later, once more: beyond checkpoints that have a proof already.
    clock.advance(400 * DAY)
    await fillLog(on, 600)
    await allPublished(on)
    await exportTo(on, once)
    await exportTo(on, whole)
    clock.advance(400 * DAY)
    expect(await gate.log.prune({ before: before! })).toEqual({
      ...{ dryRun: false, from: 512, first: 512, limit: 'retention' },
      ...NOTHING,
    })
    expect(await gate.log.prune()).toMatchObject({ from: 512, first: 1280 })
    expect((await places(on))[0]).toBe(1280)
    await fillLog(on, 300)
    await allPublished(on)
    for (const receipt of receipts) holds(receipt)
    const audited = await runAudit(on, { checkpoints: [anchor] })
    expect(audited.findings).toEqual([])
    const twice = newFolder()
    const { checkpoints } = await exportTo(on, twice)
    expect(await verify(twice)).toMatchObject({ first: 1280, findings: [], checkpoints })
    expect(checkpoints).toBeGreaterThan(exported.checkpoints)
    // Folders that were begun before go on where they are.
    for (const [folder, first] of [
      [once, 512],
      [whole, 0],
    ] as const) {
      expect(await exportTo(on, folder)).toMatchObject({ first })
      expect(await verify(folder)).toMatchObject({ first, findings: [] })
    }
  })

  test('goes no further than the retention, a hold, the newest published checkpoint and the anchors', async () => {
    const on = await openOldLog(engine)
    const { gate, clock } = on
    const report = { dryRun: true, from: 0, first: 0, ...NOTHING }
    expect(await gate.log.prune({ dryRun: true, before: clock.now() - 500 * DAY })).toEqual({
      ...report,
      limit: 'retention',
    })
    for (const [input, first] of [
      [{ userId: '3', reason: 'x' }, 0],
      [{ from: clock.now() - 500 * DAY, to: clock.now(), reason: 'x' }, 0],
      [{ reason: 'x' }, 0],
    ] as const) {
      const hold = await gate.log.holds.add(input)
      expect(await gate.log.prune({})).toEqual({ ...report, dryRun: false, first, limit: 'hold', hold: hold.id })
      await gate.log.holds.release(hold.id)
    }
    // One that is about somebody else does not matter.
    const other = await gate.log.holds.add({ userId: 'nobody', reason: 'x' })
    const { kysely } = on.direct
    const anchor = { name: 'file:anchor', epoch: 1, size: 300, anchored_at: 1, failed_at: null, failure: null }
    await kysely.insertInto('gatebook_anchor').values(anchor).execute()
    // A command beside the server, which has anchors.
    const attached = await on.another({ attach: true } as Partial<GatebookOptions>)
    expect(await attached.log.prune({ dryRun: true })).toMatchObject({ first: 256, limit: 'anchor' })
    await kysely.updateTable('gatebook_anchor').set({ epoch: 7 }).where('name', '=', anchor.name).execute()
    expect(await attached.log.prune({ dryRun: true })).toEqual({ ...report, limit: 'anchor' })
    // Where there are no anchors any more, what they had does not matter.
    expect(await gate.log.prune({ dryRun: true })).toMatchObject({ first: 512 })
    await gate.log.holds.release(other.id)
    await kysely.deleteFrom('gatebook_anchor').execute()
    await gate.close()
    await kysely.updateTable('gatebook_checkpoint').set({ published_at: null }).where('size', '>', 300).execute()
    expect(await attached.log.prune({ dryRun: true })).toMatchObject({ first: 256, limit: 'checkpoint' })
    await kysely.updateTable('gatebook_checkpoint').set({ published_at: null }).execute()
    expect(await attached.log.prune({})).toEqual({ ...report, dryRun: false, limit: 'checkpoint' })
    // What is kept for ever does not go, when there is a checkpoint again.
    const kept = await on.another({ lowVolumeDays: 0, adminEventDays: 0 })
    await allPublished({ ...on, gate: kept })
    expect(await kept.log.prune({ dryRun: true })).toEqual({ ...report, limit: 'retention' })
    expect((await places(on))[0]).toBe(0)
  })

  test('refuses what is not what was signed', async () => {
    const on = await openOldLog(engine)
    const { kysely } = on.direct
    const row = await kysely.selectFrom('gatebook_tile').selectAll().where('level', '=', 1).executeTakeFirstOrThrow()
    const hashes = Buffer.from(row.hashes)
    hashes[40]! ^= 1
    await kysely.updateTable('gatebook_tile').set({ hashes }).where('level', '=', 1).execute()
    expect(await codeOf(on.gate.log.prune())).toBe('ERR_LOG_TAMPERED')
    await kysely.updateTable('gatebook_tile').set({ hashes: row.hashes }).where('level', '=', 1).execute()
    // Made older than it is, with a hash that fits.
    const old = await kysely
      .selectFrom('gatebook_entry')
      .selectAll()
      .where('log_index', '=', 7)
      .executeTakeFirstOrThrow()
    const text = Buffer.from(old.leaf)
      .toString()
      .replace(/"at":\d/, '"at":1')
    const leaf = Buffer.from(text.replace('"outcome":"success"', '"outcome":"failure"'))
    await kysely
      .updateTable('gatebook_entry')
      .set({ leaf, leaf_hash: Buffer.from(computeLeafHash(leaf)) })
      .where('log_index', '=', 7)
      .execute()
    expect(await codeOf(on.gate.log.prune())).toBe('ERR_LOG_TAMPERED')
    await kysely.deleteFrom('gatebook_entry').where('log_index', '=', 7).execute()
    expect(await codeOf(on.gate.log.prune())).toBe('ERR_LOG_TAMPERED')
    expect((await places(on)).length).toBeGreaterThan(600)
  })

  test('is signed on after a restart, and recovered and adopted like any other', async () => {
    const on = await openOldLog(engine)
    expect(await on.gate.log.prune()).toMatchObject({ first: 512 })
    await on.gate.close()
    const again = await on.another()
    await again.log.append({ type: 'app.order.paid', userId: 7 })
    const on2 = { ...on, gate: again }
    const size = await allPublished(on2)
    expect(size).toBeGreaterThan(512)
    expect(codesOf(await runAudit(on2))).toEqual([])
    await again.close()
    rmSync((await import('../support/log-signing.ts')).guardOf(on.database.url))
    const adopting = await on.another({ attach: true } as Partial<GatebookOptions>)
    expect(await codeOf(adopting.log.adopt())).toBe('no error')
    await adopting.close()
    const last = await on.another()
    await last.log.append({ type: 'app.order.paid', userId: 7 })
    await allPublished({ ...on, gate: last })
    expect(codesOf(await runAudit({ gate: last }))).toEqual([])
    expect(last.log.status().stopped).toBeNull()
    await last.close()

    // What no writer has made is taken out of what is left.
    const { size: signed } = await on.direct.kysely
      .selectFrom('gatebook_log_state')
      .select('size')
      .executeTakeFirstOrThrow()
    const forged = { leaf: Buffer.from('{}'), leaf_hash: Buffer.alloc(32), mac: Buffer.alloc(32) }
    const { kysely } = on.direct
    await kysely
      .insertInto('gatebook_entry')
      .values({ log_index: signed, event_id: 'evt_forged', ...forged })
      .execute()
    const operator = await on.another({ attach: true } as Partial<GatebookOptions>)
    const folder = mkdtempSync(join(tmpdir(), 'gatebook-prune-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    expect(await operator.log.recover({ quarantine: join(folder, 'evidence') })).toMatchObject({
      epoch: 2,
      quarantined: 1,
    })
    await operator.close()
    const clean = await on.another()
    await clean.log.append({ type: 'app.order.paid', userId: 7 })
    await allPublished({ ...on, gate: clean })
    expect(codesOf(await runAudit({ gate: clean }))).toEqual([])

    // The same under another key, where the one of before is lost.
    await clean.close()
    await kysely.deleteFrom('gatebook_meta').where('name', '=', 'log:key').execute()
    await kysely.deleteFrom('gatebook_checkpoint').execute()
    rmSync((await import('../support/log-signing.ts')).guardOf(on.database.url))
    const other = { logKey: generateLogKey('log.example/another').signingKey }
    const under = await on.another(other)
    const id = await under.log.append({ type: 'app.order.paid', userId: 7 })
    await until('its receipt', () => under.log.prove(id).catch(() => null))
    expect(codesOf(await runAudit({ gate: under }))).toEqual([])

    // Without the tiles nothing can be signed that follows on what is gone.
    await under.close()
    await on.direct.kysely.deleteFrom('gatebook_tile').execute()
    const broken = await on.another(other)
    const stopped = await until('the signing stops', async () => broken.log.status().stopped)
    expect(stopped).toMatchObject({
      code: 'ERR_LOG_DIVERGED',
      detail: expect.stringContaining('512 entries were pruned'),
    })
  })
})
