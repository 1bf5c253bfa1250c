import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { dialectOf } from '../support/gate.ts'
import { ANNA, BY_CLI, createInstallation, PASSWORD } from './installation.ts'
import { parseLines } from './transcript.ts'

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

test('the audit says what it read, what it found, and by its status whether it found something', async () => {
  const at = await createInstallation(availableEngines[0]!)
  try {
    await at.gatebook(['user', 'add', ANNA, '--password-stdin'], `${PASSWORD}\n`)
    expect((await at.login(PASSWORD)).status).toBe(200)
    const clean = await at.gatebook(['log', 'audit'])
    expect([clean.status, clean.stderr]).toEqual([0, ''])
    expect(clean.stdout).toMatch(/^entries {6}(\d+) of \1\nevents {7}\1\ncheckpoints {2}\d+, which cover \1 entries\n/)
    expect(clean.stdout).toMatch(/\nNothing was found that does not fit\.\n$/)
    expect((await at.eventsOf('--type', 'log.audited')).at(-1)).toEqual({
      type: 'log.audited',
      reason: null,
      actor: BY_CLI,
    })

    const direct = await dialectOf(at.database.url).connect()
    const { note } = await direct.kysely.selectFrom('gatebook_checkpoint').select('note').executeTakeFirstOrThrow()
    await direct.kysely
      .updateTable('gatebook_event')
      .set({ reason: 'none' })
      .where('type', '=', 'login.succeeded')
      .execute()
    await direct.close()
    const anchor = join(tmpdir(), `gatebook-audit-${process.pid}`)
    writeFileSync(anchor, `${note}\n`)
    const found = await at.gatebook(['log', 'audit', '--checkpoint', anchor, '--json'])
    expect(found.status).toBe(1)
    const lines = parseLines(found.stdout)
    expect(lines).toEqual([
      {
        kind: 'finding',
        code: 'event-differs',
        severity: 'finding',
        index: expect.any(Number),
        event_id: expect.stringMatching(/^evt_/),
        detail: 'reason',
        message: 'A column of an event is not what its entry says.',
      },
      expect.objectContaining({ kind: 'summary', findings: 1, counts: { 'event-differs': 1 } }),
    ])
    expect(Number(lines.at(-1)?.anchored)).toBeGreaterThan(0)

    expect(await at.gatebook(['log', 'audit', '--checkpoint', `${anchor}.none`])).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('it cannot be read (ENOENT)'),
    })
    expect(await at.gatebook(['log', 'audit', '--key', 'x'])).toMatchObject({ status: 3 })
    expect(await at.gatebook(['log', 'audit', '--nothing'])).toMatchObject({ status: 2 })
  } finally {
    await at.remove()
  }
})
