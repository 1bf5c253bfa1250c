import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openFileLock } from '../../src/store/dialects/file-lock.ts'
import { availableEngines } from '../support/engines.ts'
import { openOwnGate, type TestGate, until } from '../support/gate.ts'
import { guardOf } from '../support/log-signing.ts'
import { allPublished, allSigned } from './sign-log.ts'
import { append, readGuard, untilSigned } from './signed-log.ts'

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatebook-forged-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Between two turns: one that has read the guard before would write the next one over it. */
async function putGuard(path: string, note: string): Promise<void> {
  const lock = await openFileLock(`${path}.lock`)
  onTestFinished(() => lock.close())
  await until('no turn is under way', async () => lock.tryLock())
  writeFileSync(path, note)
  lock.unlock()
}

/** As whoever can write to the database would put it there: newer than all that will ever be signed. */
async function forge(on: TestGate, size: number, publishedAt: number | null): Promise<void> {
  const note =
    'app.example/log-test\n9007199254740991\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— app.example/log-test AAAA\n'
  const row = { epoch: 1, size, note, signed_at: 0, published_at: publishedAt, proof: null }
  await on.direct.kysely.insertInto('gatebook_checkpoint').values(row).execute()
}

const alarms = (on: TestGate) =>
  on.diagnostics.filter(
    ({ level, message }) => level === 'error' && message.includes('not one that the log has signed'),
  )

describe.each(availableEngines)('a checkpoint that somebody has written into the database, on $name', (engine) => {
  test.each([
    // The next batch replaces it: it was never anybody's.
    ['not published', null, 0],
    ['published', 1, 1],
  ])(
    'as %s, gets to no anchor, keeps none from it, and is an alarm as long as it is there',
    async (_, publishedAt, told) => {
      const kept = `${temporaryFolder()}/kept`
      const on = await openOwnGate(engine, { anchors: [`file:${kept}`] })
      await append(on, 3)
      const first = await allPublished(on)
      const anchored = () => on.gate.log.status().anchors[0]
      await until('the first is anchored', async () => anchored()?.size === first)

      await forge(on, 9_007_199_254_740_991, publishedAt)
      await append(on, 3)
      on.clock.advance(120_000)
      await until('the second is anchored', async () => anchored()!.size > first && anchored()?.state === 'current')
      await until('the alarm', async () => alarms(on).length === told)
      expect(readFileSync(kept, 'utf8')).not.toContain('9007199254740991')
      const size = (await readGuard(on)).size
      await append(on, 3)
      on.clock.advance(120_000)
      await until('the third is anchored', async () => anchored()!.size > size)
      expect(alarms(on)).toHaveLength(told)
    },
  )

  test('does not silence the process whose event was taken out', async () => {
    const on = await openOwnGate(engine)
    await append(on, 3)
    await untilSigned(on)
    const writer = await on.another({ logSigning: 'off' })
    await on.gate.close()
    await writer.log.append({ type: 'app.taken' })
    const genuine = readFileSync(guardOf(on.database.url), 'utf8')
    await on.direct.kysely
      .insertInto('gatebook_checkpoint')
      .values({ epoch: 1, size: 9_007_199_254_740_991, note: genuine, signed_at: 0, published_at: 1, proof: null })
      .execute()
    await on.direct.kysely.deleteFrom('gatebook_queue').execute()
    await until('the alarm', async () => {
      on.clock.advance(1000)
      // On SQLite the event has its place already, and no queue that it could be taken out of; what covers it is hidden.
      return alarms(on).length > 0 && writer.log.status().missing === 1
    })
  })
})

describe.each(availableEngines)('the guard of a log on $name', (engine) => {
  test('that goes back with its database is not followed by the process that knows better', async () => {
    const on = await openOwnGate(engine)
    await append(on, 3)
    await allSigned(on)
    const path = guardOf(on.database.url)
    const before = readFileSync(path, 'utf8')
    await append(on, 3)
    const size = await allSigned(on)
    const newer = readFileSync(path, 'utf8')
    await putGuard(path, before)
    await append(on, 1)
    await until('it stops', async () => on.gate.log.status().stopped !== null)
    expect(on.gate.log.status().stopped?.detail).toContain('The guard is older than what')
    expect(readFileSync(path, 'utf8')).toBe(before)
    await putGuard(path, newer)
    await until(
      'it signs again',
      async () => on.gate.log.status().stopped === null && (await readGuard(on)).size > size,
      15_000,
    )
  })

  test('that cannot be read is told in the status, and signing goes on when it can', async () => {
    const on = await openOwnGate(engine)
    await append(on, 3)
    const size = await allSigned(on)
    const path = guardOf(on.database.url)
    renameSync(path, `${path}.away`)
    mkdirSync(path)
    await append(on, 1)
    await until('it stops', async () => on.gate.log.status().stopped?.code === 'ERR_LOG_GUARD_UNUSABLE')
    rmdirSync(path)
    renameSync(`${path}.away`, path)
    await until(
      'it signs again',
      async () => on.gate.log.status().stopped === null && (await readGuard(on)).size > size,
      15_000,
    )
  })
})

test('a lock is not lost when the same process opens it once more', async () => {
  const path = `${temporaryFolder()}/guard.lock`
  const first = await openFileLock(path)
  onTestFinished(() => first.close())
  expect(first.tryLock()).toBe(true)
  const second = await openFileLock(path)
  onTestFinished(() => second.close())
  expect(second.tryLock()).toBe(false)
  const module = fileURLToPath(new URL('../../src/store/dialects/file-lock.ts', import.meta.url))
  const script = `const { openFileLock } = await import(${JSON.stringify(module)}); console.log((await openFileLock(process.argv[1])).tryLock())`
  const elsewhere = () =>
    spawnSync(process.execPath, ['--no-warnings', '--import', 'tsx', '--input-type=module', '-e', script, path], {
      encoding: 'utf8',
    }).stdout.trim()
  expect(elsewhere()).toBe('false')
  first.unlock()
  expect(elsewhere()).toBe('true')
})
