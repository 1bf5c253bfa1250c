import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { findEngine } from '../support/engines.ts'
import { ANNA, BY_CLI, createInstallation, type Installation, PASSWORD } from './installation.ts'
import { parseLines, post } from './transcript.ts'

// Each command is a process of its own, and the machine may have other things to do.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

/** What does not depend on the engine. SQLite is always there. */
describe('administration', () => {
  let at: Installation
  beforeAll(async () => {
    const engine = findEngine('sqlite')
    if (engine === null) throw new Error('SQLite is missing')
    at = await createInstallation(engine)
    await at.gatebook(['user', 'add', ANNA, '--role', 'auditor', '--password-stdin'], PASSWORD)
  })
  afterAll(() => at.remove())

  test('what the password rules refuse ends with 1, and so does a name that is taken', async () => {
    const short = await at.gatebook(['user', 'add', 'bob', '--password-stdin'], 'short\n')
    expect(short).toMatchObject({ status: 1, stdout: '' })
    expect(short.stderr).toMatch(/^gatebook: The password is too short\..*\n {2}\S/)
    const taken = await at.gatebook(['user', 'add', ANNA, '--password-stdin', '--json'], PASSWORD)
    expect([taken.status, JSON.parse(taken.stderr)]).toEqual([
      1,
      expect.objectContaining({ code: 'ERR_IDENTIFIER_TAKEN' }),
    ])
  })

  test('pages go on where the last one ended', async () => {
    for (const name of ['page-1', 'page-2']) await at.gatebook(['user', 'add', name, '--password-stdin'], PASSWORD)
    const first = await at.gatebook(['user', 'list', '--limit', '2', '--json'])
    const { next } = JSON.parse(first.stderr) as { next: string }
    const second = await at.gatebook(['user', 'list', '--limit', '2', '--json', '--cursor', next])
    const names = [first, second].flatMap(({ stdout }) => parseLines(stdout).map(({ identifier }) => identifier))
    expect(names).toEqual(['page-2', 'page-1', ANNA])
    expect(second.stderr).toBe('')
    expect((await at.gatebook(['user', 'list', '--cursor', 'x!'])).status).toBe(2)
  })

  test('keys are listed, rotated and revoked, and the log says who did', async () => {
    const list = async () => parseLines((await at.gatebook(['key', 'list', '--json'])).stdout)
    const [first] = await list()
    expect(first).toMatchObject({ state: 'active', algorithm: 'ES256' })
    const rotated = await at.gatebook(['key', 'rotate'])
    expect(rotated.stdout).toMatch(/^key_\w+ signs from \d{4}-.* on, when everybody knows it\.\n$/)
    // Nobody makes a second one that waits.
    expect((await at.gatebook(['key', 'rotate'])).stdout).toBe(rotated.stdout)
    expect((await list()).map(({ state }) => state)).toEqual(['pending', 'active'])
    const kid = String(first?.id)
    expect((await at.gatebook(['key', 'revoke', kid])).stdout).toBe(`${kid} is revoked.\n`)
    expect((await at.gatebook(['key', 'revoke', kid])).stdout).toBe(`${kid} had ended before.\n`)
    expect((await at.gatebook(['key', 'revoke', 'key_x'])).status).toBe(1)
    expect((await list()).map(({ state }) => state)).toEqual(['active', 'revoked'])
    expect((await at.gatebook(['key', 'list'])).stdout).toMatch(/revoked +ended \d{4}-/)
    expect(await at.eventsOf('--type', 'key.*')).toEqual([
      expect.objectContaining({ type: 'key.created', actor: { kind: 'system', id: 'gatebook' } }),
      expect.objectContaining({ type: 'key.activated' }),
      { type: 'key.created', reason: null, actor: BY_CLI },
      { type: 'key.revoked', reason: null, actor: BY_CLI },
      { type: 'key.activated', reason: null, actor: BY_CLI },
    ])
  })

  test('clients are added, listed and revoked, and their secret is shown once', async () => {
    const added = await at.gatebook(['client', 'add', 'reports service'])
    const [, id = '', secret = ''] = /^id {6}(cli_\w+)\nsecret {2}(gbk_[\w-]{43})\n$/.exec(added.stdout) ?? []
    expect(added.stderr).toContain('Nobody can show the secret again.')
    const [row] = parseLines((await at.gatebook(['client', 'list', '--json'])).stdout)
    expect(row).toMatchObject({ id, name: 'reports service', created_by: 'cli', revoked_at: null })
    expect((await at.gatebook(['client', 'list'])).stdout).toMatch(/reports service .* active/)
    const told = JSON.parse((await at.gatebook(['client', 'add', 'gateway', '--json'])).stdout) as { secret: string }
    expect(told.secret).toMatch(/^gbk_/)
    expect((await at.gatebook(['client', 'revoke', id])).stdout).toBe(`${id} is revoked.\n`)
    expect((await at.gatebook(['client', 'revoke', id])).stdout).toBe(`${id} had been revoked before.\n`)
    expect((await at.gatebook(['client', 'revoke', 'cli_x'])).status).toBe(1)
    expect((await at.gatebook(['client', 'add', ' '])).status).toBe(1)
    expect((await at.gatebook(['client', 'list', '--json'])).stdout).not.toContain(secret)
    expect(await at.eventsOf('--type', 'client.*')).toEqual([
      { type: 'client.created', reason: null, actor: BY_CLI },
      { type: 'client.created', reason: null, actor: BY_CLI },
      { type: 'client.revoked', reason: null, actor: BY_CLI },
    ])
  })

  test('sessions are listed and ended', async () => {
    const first = (await (await at.login(PASSWORD)).json()) as { session_id: string; refresh_token: string }
    await at.login(PASSWORD, 'another browser')
    const sessions = parseLines((await at.gatebook(['session', 'list', ANNA, '--json'])).stdout)
    expect(sessions.map(({ user_agent }) => user_agent)).toEqual(['another browser', 'a browser'])
    expect((await at.gatebook(['session', 'list', ANNA])).stdout).toContain(first.session_id)

    expect(await at.gatebook(['session', 'end', first.session_id])).toMatchObject({
      status: 0,
      stdout: 'The session has ended.\n',
    })
    const again = await at.gatebook(['session', 'end', first.session_id])
    expect(again).toMatchObject({ status: 0, stdout: 'The session had ended before.\n' })
    expect((await at.gatebook(['session', 'end', 'ses_00000000000000000000000000'])).status).toBe(1)
    expect(await at.eventsOf('--session', first.session_id)).toEqual([
      { type: 'login.succeeded', reason: null, actor: expect.anything() },
      { type: 'session.ended', reason: 'ended-by-admin', actor: BY_CLI },
    ])
    const shown = await at.gatebook(['session', 'show', first.session_id])
    expect(shown.stdout).toMatch(/\nreason +ended-by-admin\nended by +system cli\nevent +evt_\w+\n$/)
    const detail = JSON.parse((await at.gatebook(['session', 'show', first.session_id, '--json'])).stdout)
    expect(detail).toMatchObject({ id: first.session_id, end_event: { type: 'session.ended', actor: BY_CLI } })
    expect((await at.gatebook(['session', 'show', 'ses_x'])).status).toBe(1)
    const ended = await at.gatebook(['session', 'list', ANNA, '--ended', '--limit', '1'])
    expect(ended.stdout).toMatch(/^ID +ENDED +REASON .*\nses_\w+ .* ended-by-admin .*\n$/)
    expect((await at.gatebook(['session', 'list', ANNA, '--limit', '1'])).status).toBe(2)

    const refreshed = await post(`${at.server.url}/auth/refresh`, { refresh_token: first.refresh_token })
    expect(refreshed.status).toBe(401)
    expect((await at.gatebook(['session', 'end', '--user', ANNA, '--json'])).stdout).toBe('{"ended":1}\n')
    expect((await at.gatebook(['session', 'list', ANNA, '--json'])).stdout).toBe('')
  })

  test('a password is set, and the old one is none any more', async () => {
    const other = 'entirely different words here'
    expect((await at.gatebook(['user', 'set-password', ANNA, '--password-stdin'], other)).status).toBe(0)
    expect((await at.login(PASSWORD)).status).toBe(401)
    expect((await at.login(other)).status).toBe(200)
    expect((await at.gatebook(['user', 'set-password', ANNA, '--password-stdin'], PASSWORD)).status).toBe(0)
  })

  test("roles are granted and revoked, also for the application's own users", async () => {
    expect((await at.gatebook(['user', 'revoke', ANNA, 'auditor'])).stdout).toBe(
      `${ANNA} does not have the role auditor.\n`,
    )
    expect((await at.gatebook(['user', 'grant', '42', 'auditor'])).status).toBe(1)
    expect((await at.gatebook(['user', 'grant', '42', 'auditor', '--application-user', '--json'])).stdout).toBe(
      '{"user_id":"42","role":"auditor"}\n',
    )
    expect((await at.gatebook(['user', 'grant', ANNA, 'Not A Role'])).status).toBe(1)
    expect(await at.eventsOf('--user', '42')).toEqual([{ type: 'role.granted', reason: null, actor: BY_CLI }])
  })
})
