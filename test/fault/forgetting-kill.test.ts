import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { computeLeafHash } from '../../src/proof/hash.ts'
import { parseReceipt, verifyReceipt } from '../../src/proof/receipt.ts'
import { encodeUtf8 } from '../../src/util/bytes.ts'
import { run, start } from '../cli/transcript.ts'
import { expectClean, runAudit } from '../log/audit/signed-log.ts'
import { readEverything } from '../log/database-contents.ts'
import { allPublished, KEY } from '../log/sign-log.ts'
import { availableEngines } from '../support/engines.ts'
import { createFakeClock, openOwnGate, SECRET, type TestGate } from '../support/gate.ts'

vi.setConfig({ testTimeout: 180_000 })

const ROWS = 2000
const LONG_AGO = Date.UTC(2020, 0, 6)

/** A log of one person, from long ago. */
async function fill(on: TestGate): Promise<void> {
  on.clock.advance(LONG_AGO - on.clock.now())
  for (let done = 0; done < ROWS; done += 250) {
    await Promise.all(
      Array.from({ length: 250 }, () =>
        on.gate.log.append({ type: 'app.filled', userId: 'person-7' }, { ip: '203.0.113.7', userAgent: 'private' }),
      ),
    )
  }
}

/** Whoever is killed in the middle of forgetting has done nothing wrong, and nothing twice. */
describe.each(availableEngines)('forgetting that is killed, on $name', (engine) => {
  /** The command beside the database, killed when something has gone and something is left; then once more. */
  async function killAndRepeat(
    on: TestGate,
    args: readonly string[],
    left: () => Promise<number>,
    rows = ROWS,
  ): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), 'gatebook-forget-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const options = { folder, env: { GATEBOOK_DATABASE: on.database.url, GATEBOOK_SECRET: SECRET } }
    const { child, ended } = start(args, options)
    while (child.exitCode === null && (await left()) === rows) await new Promise((resolve) => setTimeout(resolve, 1))
    child.kill('SIGKILL')
    await ended
    const between = await left()
    expect(between).toBeLessThan(rows)
    expect(between).toBeGreaterThan(0)
    expect(await run(args, options)).toMatchObject({ status: 0 })
    expect(await left()).toBe(0)
  }

  const count = async (on: TestGate, column: 'subject_id' | 'salt_net'): Promise<number> => {
    const { rows } = await on.direct.kysely
      .selectFrom('gatebook_event')
      .select((eb) => eb.fn.count<number>(column).as('rows'))
      .where('type', '=', 'app.filled')
      .executeTakeFirstOrThrow()
    return Number(rows)
  }

  test('an erasure is finished by the next one, and says once how much it was', async () => {
    const on = await openOwnGate(engine, { networkDays: 0, adminNetworkDays: 0, mediumVolumeDays: 0 })
    await fill(on)
    await killAndRepeat(on, ['log', 'erase', '--user', 'person-7', '--yes'], () => count(on, 'subject_id'))
    const erased = (await on.events()).filter(({ type }) => type === 'log.erased')
    expect(erased.map(({ data }) => [data.events, data.networks])).toEqual([[ROWS, ROWS]])
    const everything = await readEverything(on.direct)
    expect(everything.split('person-7').length - 1).toBe(1)
    expect(everything).not.toContain('203.0.113.7')
  })

  test('an expiry is finished under the announcement that is there', async () => {
    const on = await openOwnGate(engine, { networkDays: 30, adminNetworkDays: 0, mediumVolumeDays: 0 })
    await fill(on)
    await killAndRepeat(on, ['log', 'expire'], () => count(on, 'salt_net'))
    const expired = (await on.events()).filter(({ type }) => type === 'log.expired')
    expect(expired.map(({ data }) => [data.class, data.actors, data.count])).toEqual([['net', 'users', ROWS]])
  })

  test('a pruning goes on where it was, and neither audit nor receipt sees anything amiss', async () => {
    const days = { networkDays: 30, adminNetworkDays: 30, highVolumeDays: 30, mediumVolumeDays: 30, lowVolumeDays: 30 }
    // All of it, with the keys that are made at the start, is older than the command beside it keeps anything.
    const clock = createFakeClock(LONG_AGO)
    const on = { ...(await openOwnGate(engine, { ...days, adminEventDays: 365, clock })), clock }
    await fill(on)
    const size = await allPublished(on)
    const { kysely } = on.direct
    const { event_id: first } = await kysely
      .selectFrom('gatebook_entry')
      .select('event_id')
      .where('log_index', '=', 0)
      .executeTakeFirstOrThrow()
    const receipt = await on.gate.log.prove(first)
    const whole = size - (size % 256)
    const left = async (): Promise<number> => {
      const entries = kysely.selectFrom('gatebook_entry').select((eb) => eb.fn.countAll<number>().as('rows'))
      const { rows } = await entries.where('log_index', '<', whole).executeTakeFirstOrThrow()
      return Number(rows)
    }
    // Housekeeping of the server would finish it.
    await on.gate.close()
    await killAndRepeat(on, ['log', 'prune', '--yes'], left, whole)
    const again = await on.another()
    const pruned = (await again.log.search({ type: 'log.pruned' })).items
    expect(pruned.map(({ data }) => [data.first, data.entries])).toEqual([[whole, whole]])
    await allPublished({ ...on, gate: again })
    expectClean(await runAudit({ gate: again }))
    const policy = { origin: KEY.name, logKeys: [KEY.verifierKey] }
    verifyReceipt(parseReceipt(receipt.proof), computeLeafHash(encodeUtf8(receipt.leaf)), policy)
  })
})
