import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { dialectOf, until } from '../support/gate.ts'
import { ANNA, BY_CLI, createInstallation, PASSWORD } from './installation.ts'
import { parseLines } from './transcript.ts'

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

test('recover takes out beside a server what somebody has put into the log, and says how much it was', async () => {
  const at = await createInstallation(availableEngines[0]!)
  onTestFinished(() => at.remove())
  const folder = mkdtempSync(join(tmpdir(), 'gatebook-recover-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  await at.gatebook(['user', 'add', ANNA, '--password-stdin'], `${PASSWORD}\n`)
  const head = await until(
    'the log is signed',
    async () => {
      const { size, signed } = JSON.parse((await at.gatebook(['log', 'checkpoint', '--json'])).stdout)
      return signed?.size === size && signed
    },
    60_000,
  )
  expect(await at.gatebook(['log', 'recover'])).toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringContaining('needs no new epoch'),
  })
  const direct = await dialectOf(at.database.url).connect()
  const forged = { leaf: Buffer.from('{}'), leaf_hash: Buffer.alloc(32), mac: Buffer.alloc(32) }
  const { kysely } = direct
  await kysely
    .insertInto('gatebook_entry')
    .values({ log_index: head.size, event_id: 'evt_forged', ...forged })
    .execute()
  await kysely
    .updateTable('gatebook_log_state')
    .set({ size: head.size + 1 })
    .execute()
  await direct.close()

  const evidence = join(folder, 'evidence')
  const refused = await at.gatebook(['log', 'recover'])
  expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('log recover --quarantine FILE') })
  expect(await at.gatebook(['log', 'recover', '--quarantine', evidence])).toMatchObject({
    status: 0,
    stdout: `A new epoch has begun. Epoch 2, ${head.size} entries.\n1 entries were put into the file, and 0 places had no entry.\n`,
  })
  expect(parseLines(readFileSync(evidence, 'utf8')).map(({ event_id: id }) => id)).toEqual([
    undefined,
    'evt_forged',
    undefined,
  ])
  expect((await at.eventsOf('--type', 'log.epoch')).at(-1)).toEqual({
    type: 'log.epoch',
    reason: 'quarantined',
    actor: BY_CLI,
  })
  expect(await at.gatebook(['log', 'recover', '--quarantine', evidence])).toMatchObject({ status: 3 })
})
