import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { findEngine } from '../support/engines.ts'
import { ANNA, BY_CLI, createInstallation, type Installation, PASSWORD } from './installation.ts'
import { parseLines } from './transcript.ts'

// Each command is a process of its own, and the machine may have other things to do.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

/** What does not depend on the engine. SQLite is always there. */
describe('forgetting', () => {
  let at: Installation
  let anna: string
  beforeAll(async () => {
    const engine = findEngine('sqlite')
    if (engine === null) throw new Error('SQLite is missing')
    at = await createInstallation(engine)
    const added = await at.gatebook(['user', 'add', ANNA, '--password-stdin', '--json'], PASSWORD)
    anna = String(parseLines(added.stdout)[0]?.id)
    await at.login(PASSWORD)
  })
  afterAll(() => at.remove())

  test('nothing is old enough yet, and nobody can have it otherwise', async () => {
    expect(await at.gatebook(['log', 'expire'])).toEqual({
      status: 0,
      stdout: 'Nothing is older than it is kept.\n',
      stderr: '',
    })
    expect(await at.gatebook(['log', 'expire', '--dry-run', '--json'])).toMatchObject({ status: 0, stdout: '' })
    expect((await at.gatebook(['log', 'expire', '--before', '1d'])).status).toBe(2)
  })

  test('nothing of the beginning is old enough to be deleted', async () => {
    const preview = await at.gatebook(['log', 'prune'])
    expect(preview).toMatchObject({ status: 0, stderr: 'Nothing is to be deleted.\n' })
    expect(preview.stdout).toMatch(/^entries +0\nwhat comes then +is (younger than|under no)/)
    const done = await at.gatebook(['log', 'prune', '--before', '1d', '--yes', '--json'])
    const report = { from: 0, first: 0, lasting: 0, before: null, hold: null, dry_run: false }
    expect(parseLines(done.stdout)).toEqual([{ ...report, limit: expect.stringMatching(/retention|checkpoint/) }])
    expect((await at.gatebook(['log', 'prune', '--before', 'soon'])).status).toBe(2)
  })

  test('a hold stands against an erasure until it is released', async () => {
    const wrong = await at.gatebook(['log', 'hold', 'add', '--reason', 'court'])
    expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringContaining('--everything')])
    expect((await at.gatebook(['log', 'hold', 'add', '--user', anna, '--reason', ' '])).status).toBe(1)
    expect(
      (await at.gatebook(['log', 'hold', 'add', '--user', anna, '--reason', 'x', '--reference', 'anna@example.org']))
        .status,
    ).toBe(1)
    const added = await at.gatebook([
      ...['log', 'hold', 'add', '--user', anna, '--from', '2026-03-01', '--reason', 'order of the court'],
      ...['--reference', 'CASE-4'],
    ])
    const [, id = ''] = /^(hld_\w+) is in force\.\n$/.exec(added.stdout) ?? []
    const [row] = parseLines((await at.gatebook(['log', 'hold', 'list', '--json'])).stdout)
    expect(row).toMatchObject({ id, user_id: anna, reference: 'CASE-4', to: null, created_by: 'cli' })
    expect((await at.gatebook(['log', 'hold', 'list'])).stdout).toMatch(
      /^ID +WHAT +REASON +REFERENCE +SINCE +BY\nhld_\w+ +usr_\w+ from 2026-03-01 00:00:00 \+01:00 +order of the court +CASE-4 .* cli\n$/,
    )
    const preview = await at.gatebook(['log', 'erase', '--user', anna])
    expect(preview.stdout).toMatch(
      new RegExp(
        `^user +${anna}\nevents +3\nwith an address +3\nsessions +1\ndevices +1\n.*\nforbidden by +${id}\n$`,
        's',
      ),
    )
    expect(preview.stderr).toContain('Nothing has changed.')
    const refused = await at.gatebook(['log', 'erase', '--user', anna, '--yes', '--json'])
    expect([refused.status, JSON.parse(refused.stderr)]).toEqual([1, expect.objectContaining({ code: 'ERR_HELD' })])
    expect((await at.gatebook(['log', 'hold', 'release', id])).stdout).toBe(`${id} is released.\n`)
    expect((await at.gatebook(['log', 'hold', 'release', id])).status).toBe(1)
    expect(await at.gatebook(['log', 'hold', 'list'])).toMatchObject({ stdout: '', stderr: 'There is no hold.\n' })
    expect(await at.eventsOf('--type', 'log.held')).toEqual([{ type: 'log.held', reason: null, actor: BY_CLI }])
    expect(await at.eventsOf('--type', 'log.released')).toEqual([{ type: 'log.released', reason: null, actor: BY_CLI }])
  })

  test('somebody is erased when --yes is there, and is nobody then', async () => {
    expect((await at.gatebook(['log', 'erase', '--yes'])).status).toBe(2)
    expect((await at.gatebook(['log', 'erase', '--user', anna, '--identifier', ANNA])).status).toBe(2)
    const [preview] = parseLines((await at.gatebook(['log', 'erase', '--identifier', ANNA, '--json'])).stdout)
    expect(preview).toMatchObject({ user_id: anna, holds: [], acts_on_others: 0 })
    expect((await at.login(PASSWORD)).status).toBe(200)
    const erased = await at.gatebook(['log', 'erase', '--identifier', ANNA, '--reference', 'DSR-17', '--yes'])
    expect(erased).toMatchObject({ status: 0, stderr: expect.stringContaining('Backups') })
    expect(erased.stdout).toMatch(/^user +usr_\w+\nevents +\d+\n/)
    expect((await at.login(PASSWORD)).status).toBe(401)
    expect((await at.gatebook(['user', 'show', anna])).status).toBe(1)
    expect((await at.gatebook(['log', 'erase', '--user', 'nobody'])).status).toBe(1)
    const [event] = parseLines((await at.gatebook(['log', 'tail', '--type', 'log.erased', '--json'])).stdout)
    expect(event).toMatchObject({ actor: BY_CLI, subject: null, data: { scope: 'user', reference: 'DSR-17' } })
    expect(JSON.stringify(event)).not.toContain(anna)
  })
})
