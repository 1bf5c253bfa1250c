import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { formatVerifierKey, generateLogKey, parseSigningKey } from '../../src/proof/note-key.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openOwnGate, SECRET, type TestGate, until } from '../support/gate.ts'
import { guardOf, LOG_KEY } from '../support/log-signing.ts'
import { createMemoryLog } from './memory-log.ts'
import { append, expectSigned, readGuard, untilSigned } from './signed-log.ts'

const NEWER_SECRET = 'kQ2vW9xT4mB7nR1cF6hL3pS8dGaZyJ0eU5'

function newFile(content: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatebook-recover-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'anchors')
  writeFileSync(path, content)
  return path
}

/** What a backup of the database is, in which the log ends there. */
async function cutTo(on: TestGate, size: number): Promise<void> {
  const { kysely } = on.direct
  await kysely.deleteFrom('gatebook_entry').where('log_index', '>=', size).execute()
  await kysely.updateTable('gatebook_log_state').set({ size }).execute()
  await kysely.deleteFrom('gatebook_checkpoint').where('size', '>', size).execute()
}

describe.each(availableEngines)('a log on $name', (engine) => {
  test('whose guard was restored with it begins a new epoch by a checkpoint that was kept elsewhere', async () => {
    const on = await openOwnGate(engine)
    const path = guardOf(on.database.url)
    await append(on, 5)
    const size = await untilSigned(on)
    const backup = readFileSync(path, 'utf8')
    await append(on, 5)
    const lost = await untilSigned(on)
    const newest = readFileSync(path, 'utf8')
    await on.gate.close()
    await cutTo(on, size)
    writeFileSync(path, backup)

    // By itself, nothing tells that it was restored.
    const operator = await on.another({ attach: true })
    expect(await codeOf(operator.log.recover())).toBe('ERR_LOG_INTACT')
    expect(await codeOf(operator.log.recover({ checkpoints: [newFile(backup)] }))).toBe('ERR_LOG_INTACT')
    const kept = newFile(`${backup}\n${newest}\n`)
    // Nor is the guard needed: what was kept stands in for it.
    rmSync(path)
    expect(await codeOf(operator.log.recover())).toBe('ERR_LOG_GUARD_MISSING')
    expect(await operator.log.recover({ checkpoints: [kept] })).toEqual({ epoch: 2, size, previousSize: lost })
    expect(await codeOf(operator.log.recover({ checkpoints: [kept] }))).toBe('ERR_LOG_INTACT')
    await operator.close()
    const again = { ...on, gate: await on.another() }
    await append(again, 2)
    await expectSigned(on, 2)
    const { items } = await again.gate.log.search({ type: 'log.epoch' })
    expect(items.map(({ reason, data }) => [reason, data.epoch, data.size, data.previous_size])).toEqual([
      ['restored', 2, size, lost],
    ])
  })

  test('never takes an epoch that a checkpoint elsewhere has already', async () => {
    const on = await openOwnGate(engine)
    const path = guardOf(on.database.url)
    await append(on, 5)
    const size = await untilSigned(on)
    await on.gate.close()
    const backup = readFileSync(path, 'utf8')
    await cutTo(on, size - 2)
    const first = await on.another({ attach: true })
    expect((await first.log.recover()).epoch).toBe(2)
    const second = readFileSync(path, 'utf8')
    await first.close()
    // The guard of before comes back, and with it the epoch.
    writeFileSync(path, backup)
    const operator = await on.another({ attach: true })
    expect((await operator.log.recover({ checkpoints: [newFile(second)] })).epoch).toBe(3)
    expect((await readGuard(on, 3)).size).toBeGreaterThan(0)
  })

  test('is not signed on in an epoch that is over, and an adopted guard explains nothing away', async () => {
    const on = await openOwnGate(engine)
    const path = guardOf(on.database.url)
    await append(on, 5)
    const size = await untilSigned(on)
    await append(on, 5)
    const lost = await untilSigned(on)
    const old = readFileSync(path, 'utf8')
    await on.gate.close()
    await cutTo(on, size)
    const { kysely } = on.direct
    const kept = kysely.selectFrom('gatebook_entry').select('event_id')
    await kysely.deleteFrom('gatebook_event').where('id', 'not in', kept).execute()
    const operator = await on.another({ attach: true })
    expect(await operator.log.recover()).toMatchObject({ epoch: 2, previousSize: lost })
    const second = await on.another()
    await append({ ...on, gate: second }, 10)
    const grown = await untilSigned(on, 2)
    await second.close()

    rmSync(path)
    expect(await operator.log.adopt()).toMatchObject({ epoch: 2, size: grown })
    const codes: string[] = []
    for await (const step of operator.log.audit({ checkpoints: [newFile(old)] })) {
      if (step.kind === 'finding') codes.push(step.code)
    }
    expect(codes).toEqual(['epoch-restored'])

    writeFileSync(path, old)
    const third = await on.another()
    await until('it stops', async () =>
      on.diagnostics.some(({ fields }) => 'divergence' in fields && fields.divergence === 'guard-rolled-back'),
    )
    expect(readFileSync(path, 'utf8')).toBe(old)
    expect(await operator.log.recover()).toMatchObject({ epoch: 3 })
    await until('it signs again', async () => third.log.status().stopped === null, 15_000)
    await append({ ...on, gate: third }, 1)
    await untilSigned(on, 3)
  })

  test('takes no checkpoints of another log', async () => {
    const on = await openOwnGate(engine)
    await append(on, 2)
    await untilSigned(on)
    const other = createMemoryLog(parseSigningKey(generateLogKey('log.example/other').signingKey).name)
    other.append(3)
    const file = newFile((await other.checkpoint()).note)
    const operator = await on.another({ attach: true })
    expect(await codeOf(operator.log.recover({ checkpoints: [file] }))).toBe('ERR_FILE')
    expect(await codeOf(operator.log.recover({ checkpoints: [`${file}.none`] }))).toBe('ERR_FILE')
  })

  test('that has nothing in it is intact', async () => {
    const on = await openOwnGate(engine)
    await untilSigned(on)
    const operator = await on.another({ attach: true })
    expect(await codeOf(operator.log.recover())).toBe('ERR_LOG_INTACT')
  })

  test('is adopted, and recovered, when the secret of its older entries was dropped long ago', async () => {
    const on = await openOwnGate(engine)
    const path = guardOf(on.database.url)
    await append(on, 5)
    await untilSigned(on)
    await on.gate.close()
    const both = await on.another({ secret: `2:${NEWER_SECRET},1:${SECRET}` })
    await both.log.append({ type: 'app.newer' })
    const size = await untilSigned(on)
    await both.close()

    // Signing keys that it had sealed have been replaced since.
    await on.direct.kysely.deleteFrom('gatebook_signing_key').execute()
    const newer = { secret: `2:${NEWER_SECRET}` }
    rmSync(path)
    const operator = await on.another({ ...newer, attach: true })
    expect(await operator.log.adopt()).toMatchObject({ epoch: 1, previousSize: size })
    await operator.close()
    const signed = { ...on, gate: await on.another(newer) }
    const grown = await untilSigned(signed)
    await signed.gate.close()
    await on.direct.kysely.deleteFrom('gatebook_queue').execute()
    await cutTo(on, size)
    const recovering = await on.another({ ...newer, attach: true })
    expect(await recovering.log.recover()).toEqual({ epoch: 2, size, previousSize: grown })
  })

  test('is signed by another key when its own is lost, after what the docs say', async () => {
    const on = await openOwnGate(engine)
    await append(on, 5)
    const size = await untilSigned(on)
    await on.gate.close()
    const { signingKey } = generateLogKey('log.example/another')
    const other = { logKey: signingKey }
    expect(await codeOf(on.another(other))).toBe('ERR_LOG_KEY_MISMATCH')

    const { kysely } = on.direct
    await kysely.deleteFrom('gatebook_meta').where('name', '=', 'log:key').execute()
    await kysely.deleteFrom('gatebook_checkpoint').execute()
    rmSync(guardOf(on.database.url))
    const again = await on.another(other)
    const id = await again.log.append({ type: 'app.later' })
    const receipt = await until('its receipt', () => again.log.prove(id).catch(() => null))
    expect(receipt.size).toBeGreaterThan(size)
    expect(again.log.status().stopped).toBeNull()
    const codes: string[] = []
    for await (const step of again.log.audit()) if (step.kind === 'finding') codes.push(step.code)
    expect(codes).toEqual([])
  })

  test('is signed by a newer key, and by that alone when the older one is dropped', async () => {
    const on = await openOwnGate(engine)
    await append(on, 5)
    await untilSigned(on)
    await on.gate.close()
    const { name, verifierKey: older } = parseSigningKey(LOG_KEY)
    const { signingKey, verifierKey } = generateLogKey(name)
    const both = await on.another({ logKey: `${signingKey},${LOG_KEY}` })
    await append({ ...on, gate: both }, 1)
    await untilSigned(on)
    await both.close()
    const newer = await on.another({ logKey: signingKey })
    const id = await newer.log.append({ type: 'app.later' })
    await until('its receipt', () => newer.log.prove(id).catch(() => null))
    expect(newer.log.status().stopped).toBeNull()
    const audit = async (keys: readonly string[]): Promise<string[]> => {
      const codes: string[] = []
      for await (const step of newer.log.audit({ keys })) if (step.kind === 'finding') codes.push(step.code)
      return codes
    }
    expect(await audit([verifierKey])).toContain('checkpoint-forged')
    expect(await audit([verifierKey, formatVerifierKey(older)])).toEqual([])
  })

  test('is told when its newest checkpoint was forged', async () => {
    const on = await openOwnGate(engine)
    await append(on, 2)
    await untilSigned(on)
    await on.gate.close()
    const row = { epoch: 1, size: 9_007_199_254_740_991, note: 'no note', signed_at: 0, published_at: 1, proof: null }
    await on.direct.kysely.insertInto('gatebook_checkpoint').values(row).execute()
    const operator = await on.another({ attach: true })
    const error = await operator.log.recover().catch((thrown) => thrown)
    expect([error.code, error.members.divergence]).toEqual(['ERR_LOG_DIVERGED', 'checkpoint-forged'])
    await on.direct.kysely.deleteFrom('gatebook_checkpoint').where('published_at', '=', 1).execute()
    await until('it is intact', async () => (await codeOf(operator.log.recover())) === 'ERR_LOG_INTACT')
  })
})
