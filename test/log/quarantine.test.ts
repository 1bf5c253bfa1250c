import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { AuditFinding } from '../../src/api.ts'
import { createSequencer } from '../../src/log/sequencer.ts'
import { parseMasterSecret } from '../../src/secret/master-secret.ts'
import { createSqlStore } from '../../src/store/sql/sql-store.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, dialectOf, openOwnGate, recordDiagnostics, SECRET, type TestGate, until } from '../support/gate.ts'
import { guardOf } from '../support/log-signing.ts'
import { append, readGuard, readSize, untilSigned } from './signed-log.ts'

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatebook-quarantine-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A signed log of `signed` events, and behind it so many that have their places and are not signed. No process is left. */
async function openWithTail(on: TestGate, tail: number): Promise<{ size: number; ids: string[] }> {
  const size = await untilSigned(on)
  await on.gate.close()
  const writer = await on.another({ logSigning: 'off' })
  const ids = await append({ ...on, gate: writer }, tail)
  await writer.close()
  const opened = await dialectOf(on.database.url).connect()
  const store = createSqlStore(opened)
  onTestFinished(() => store.close())
  const secret = parseMasterSecret(SECRET, 'secret')
  const parts = { store, secret, clock: on.clock, diagnostics: recordDiagnostics([]) }
  if (store.traits.queued) await createSequencer(parts).sequence()
  expect(await readSize(on)).toBe(size + tail)
  return { size, ids }
}

/** An entry that no writer has made, at this place; those from there on make room for it. */
async function forge(on: TestGate, at: number): Promise<void> {
  const { kysely } = on.direct
  const size = await readSize(on)
  for (let index = size - 1; index >= at; index--) {
    await kysely
      .updateTable('gatebook_entry')
      .set({ log_index: index + 1 })
      .where('log_index', '=', index)
      .execute()
  }
  const { leaf, leaf_hash } = await kysely.selectFrom('gatebook_entry').selectAll().limit(1).executeTakeFirstOrThrow()
  const row = { log_index: at, event_id: 'evt_forged', leaf, leaf_hash, mac: Buffer.alloc(32, 7) }
  await kysely.insertInto('gatebook_entry').values(row).execute()
  await kysely
    .updateTable('gatebook_log_state')
    .set({ size: size + 1 })
    .execute()
}

async function setSize(on: TestGate, size: number): Promise<void> {
  await on.direct.kysely.updateTable('gatebook_log_state').set({ size }).execute()
}

async function untilStopped(on: TestGate, divergence: string): Promise<string> {
  const line = await until(divergence, async () =>
    on.diagnostics.find(({ fields }) => 'divergence' in fields && fields.divergence === divergence),
  )
  return line.message
}

async function placesOf(on: TestGate, ids: readonly string[]): Promise<number[]> {
  const rows = await on.direct.kysely
    .selectFrom('gatebook_entry')
    .select(['log_index', 'event_id'])
    .where('event_id', 'in', ids)
    .orderBy('log_index')
    .execute()
  return rows.map(({ log_index: index }) => Number(index))
}

async function audit(on: TestGate): Promise<AuditFinding[]> {
  const auditing = await on.another({ attach: true })
  const findings: AuditFinding[] = []
  for await (const step of auditing.log.audit()) if (step.kind === 'finding') findings.push(step)
  await auditing.close()
  return findings.filter(({ severity }) => severity === 'finding')
}

async function epochsOf(on: TestGate): Promise<unknown[]> {
  const { items } = await on.gate.log.search({ type: 'log.epoch' })
  return items.map(({ reason, data }) => {
    const { epoch, size, previous_size, quarantined, missing } = data
    return [reason, epoch, size, previous_size, quarantined, missing]
  })
}

function parseLines(path: string): Record<string, unknown>[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))
}

describe.each(availableEngines)('quarantine on $name', (engine) => {
  test('takes out an entry that no writer has made, and keeps all others in their order', async () => {
    const on = await openOwnGate(engine)
    await append(on, 5)
    const { size, ids } = await openWithTail(on, 3)
    await forge(on, size + 1)
    const again = { ...on, gate: await on.another() }
    expect(await untilStopped(on, 'forged')).toContain('gatebook log recover --quarantine FILE')
    const operator = await on.another({ attach: true })
    expect(await codeOf(operator.log.recover())).toBe('ERR_LOG_DIVERGED')
    const path = join(newFolder(), 'evidence')
    expect(await operator.log.recover({ quarantine: path })).toEqual({
      epoch: 2,
      size: size + 3,
      previousSize: size,
      quarantined: 1,
      missing: 0,
    })
    const [about, forged, counts, ...more] = parseLines(path)
    expect(about).toMatchObject({ log: 'app.example/log-test', from: size })
    expect(forged).toMatchObject({
      log_index: size + 1,
      event_id: 'evt_forged',
      mac: Buffer.alloc(32, 7).toString('base64'),
    })
    expect([counts, more]).toEqual([{ quarantined: 1, missing: 0 }, []])
    expect(await placesOf(on, ids)).toEqual([size, size + 1, size + 2])
    await operator.close()
    await until('it signs again', async () => again.gate.log.status().stopped === null, 15_000)
    await append(again, 2)
    await untilSigned(on, 2)
    expect(await epochsOf(again)).toEqual([['quarantined', 2, size, size, 1, 0]])
    expect(await audit(again)).toEqual([])
  })

  test('closes a gap, counts what is missing, and leaves its event for the audit', async () => {
    const on = await openOwnGate(engine)
    await append(on, 5)
    const { size, ids } = await openWithTail(on, 3)
    const { kysely } = on.direct
    await kysely.deleteFrom('gatebook_entry').where('event_id', '=', ids[1]!).execute()
    const again = { ...on, gate: await on.another() }
    await untilStopped(on, 'gap')
    const operator = await on.another({ attach: true })
    const path = join(newFolder(), 'evidence')
    expect(await operator.log.recover({ quarantine: path })).toMatchObject({
      size: size + 2,
      quarantined: 0,
      missing: 1,
    })
    await operator.close()
    await untilSigned(on, 2)
    expect(await epochsOf(again)).toEqual([['quarantined', 2, size, size, 0, 1]])
    expect((await audit(again)).map(({ code, eventId }) => [code, eventId])).toEqual([['event-without-entry', ids[1]]])
  })

  test.each([-2, 7])('sets a size that somebody has changed by %i', async (change) => {
    const on = await openOwnGate(engine)
    await append(on, 5)
    const { size, ids } = await openWithTail(on, 3)
    await setSize(on, size + 3 + change)
    const operator = await on.another({ attach: true })
    expect(await codeOf(operator.log.recover())).toBe('ERR_LOG_DIVERGED')
    const path = join(newFolder(), 'evidence')
    expect(await operator.log.recover({ quarantine: path })).toMatchObject({
      size: size + 3,
      quarantined: 0,
      missing: Math.max(0, change),
    })
    await operator.close()
    const again = { ...on, gate: await on.another() }
    await append(again, 1)
    await untilSigned(on, 2)
    expect(await placesOf(on, ids)).toEqual([size, size + 1, size + 2])
    expect(await audit(again)).toEqual([])
  })

  test('does nothing to a log that is whole, and never writes over a file', async () => {
    const on = await openOwnGate(engine)
    await append(on, 5)
    const { size } = await openWithTail(on, 2)
    // It would sign the tail at its first turn, were there one before the forgery.
    const operator = await on.another({ attach: true, sequencerMilliseconds: 5000 })
    const path = join(newFolder(), 'evidence')
    expect(await codeOf(operator.log.recover({ quarantine: path }))).toBe('ERR_LOG_INTACT')
    expect(existsSync(path)).toBe(false)
    await forge(on, size)
    writeFileSync(path, 'something else')
    expect(await codeOf(operator.log.recover({ quarantine: path }))).toBe('ERR_FILE')
    expect(readFileSync(path, 'utf8')).toBe('something else')
    expect(await readSize(on)).toBe(size + 3)
    expect((await readGuard(on)).size).toBe(size)
  })

  test('goes back to an older checkpoint where signed entries were changed, and to none that does not fit', async () => {
    const on = await openOwnGate(engine)
    const folder = newFolder()
    const kept = join(folder, 'anchors')
    await append(on, 260)
    const anchored = await untilSigned(on)
    writeFileSync(kept, readFileSync(guardOf(on.database.url), 'utf8'))
    await append(on, 260)
    const { size } = await openWithTail(on, 2)
    const { kysely } = on.direct
    const changed = anchored + 5
    await kysely
      .updateTable('gatebook_entry')
      .set({ leaf: Buffer.from('{}') })
      .where('log_index', '=', changed)
      .execute()
    const operator = await on.another({ attach: true })
    const path = join(folder, 'evidence')
    expect(await codeOf(operator.log.recover({ quarantine: path }))).toBe('ERR_LOG_DIVERGED')
    expect(existsSync(path)).toBe(false)
    expect(await operator.log.recover({ quarantine: path, checkpoints: [kept] })).toEqual({
      epoch: 2,
      size: size + 1,
      previousSize: size,
      quarantined: 1,
      missing: 0,
    })
    expect(parseLines(path)[1]).toMatchObject({ log_index: changed, leaf: Buffer.from('{}').toString('base64') })
    await operator.close()
    const again = { ...on, gate: await on.another() }
    await append(again, 300)
    await untilSigned(on, 2)
    expect(await epochsOf(again)).toEqual([['quarantined', 2, anchored, size, 1, 0]])
    expect((await audit(again)).map(({ code }) => code)).toEqual(['event-without-entry'])
  })

  test('is not needed where tiles were edited: recover writes them anew', async () => {
    const on = await openOwnGate(engine)
    await append(on, 300)
    await untilSigned(on)
    await on.gate.close()
    const { kysely } = on.direct
    await kysely
      .updateTable('gatebook_tile')
      .set({ hashes: Buffer.alloc(32, 7) })
      .where('level', '=', 1)
      .execute()
    const again = { ...on, gate: await on.another() }
    await untilStopped(on, 'rewritten')
    const operator = await on.another({ attach: true })
    const error = await operator.log.recover().catch((thrown) => thrown)
    expect([error.code, error.detail]).toEqual(['ERR_LOG_INTACT', expect.stringContaining('written anew')])
    await until('it signs again', async () => again.gate.log.status().stopped === null, 15_000)
    await append(again, 300)
    await untilSigned(on)
    expect(await audit(again)).toEqual([])
  })
})
