import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { ANNA, BY_CLI, createInstallation, type Installation, PASSWORD } from './installation.ts'
import { parseLines } from './transcript.ts'

// Each command is a process of its own, and the machine may have other things to do.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

/** On each engine: what the database takes part in. The rest is in `administration.test.ts`, on one. */
describe.each(availableEngines)('on $name', (engine) => {
  let at: Installation
  beforeAll(async () => {
    at = await createInstallation(engine)
  })
  afterAll(() => at.remove())

  test('the first admin is added, without a password on the command line', async () => {
    const { status, stdout, stderr } = await at.gatebook(
      ['user', 'add', ANNA, '--admin', '--role', 'auditor', '--password-stdin'],
      `${PASSWORD}\n`,
    )
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^Added anna@example\.org as usr_\w{26} with the role admin, auditor\.\n$/)
    expect(await at.eventsOf('--user', ANNA)).toEqual([
      { type: 'user.registered', reason: null, actor: BY_CLI },
      { type: 'role.granted', reason: null, actor: BY_CLI },
      { type: 'role.granted', reason: null, actor: BY_CLI },
    ])
  })

  test('users are listed and shown', async () => {
    const list = await at.gatebook(['user', 'list'])
    expect(list.stdout).toMatch(
      /^ID {2,}IDENTIFIER {2,}ROLES {2,}STATE {2,}CREATED\nusr_\w+ {2}anna@example\.org {2}admin,auditor {2}enabled/,
    )
    expect(list.stdout).toMatch(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0[12]:00\n$/)
    const [listed] = parseLines((await at.gatebook(['user', 'list', '--json'])).stdout)
    const shown = JSON.parse((await at.gatebook(['user', 'show', ANNA, '--json'])).stdout)
    expect(shown).toEqual({ ...listed, live_sessions: 0, lookalikes: [] })
    expect((await at.gatebook(['user', 'show', String(listed?.id)])).stdout).toContain(
      'identifier     anna@example.org',
    )
    expect(await at.gatebook(['user', 'show', 'nobody@example.org'])).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^gatebook: There is no such user\. nobody@example\.org\n {2}.*gatebook user list/),
    })
  })

  test('a throttled account is unlocked', async () => {
    while ((await at.login('not the right password at all')).status !== 429);
    expect((await at.login(PASSWORD)).status).toBe(429)
    expect(await at.gatebook(['user', 'unlock', ANNA])).toMatchObject({ status: 0, stdout: `Unlocked ${ANNA}.\n` })
    expect((await at.login(PASSWORD)).status).toBe(200)
  })

  test('a disabled user is refused until enabled again', async () => {
    expect((await at.gatebook(['user', 'disable', ANNA])).stdout).toBe(`${ANNA} is disabled.\n`)
    expect((await at.login(PASSWORD)).status).toBe(401)
    const failures = await at.eventsOf('--reason', 'disabled')
    expect(failures.map(({ type }) => type)).toEqual(['login.failed'])
    expect((await at.gatebook(['user', 'list'])).stdout).toContain('disabled')
    expect((await at.gatebook(['user', 'enable', ANNA])).status).toBe(0)
    expect((await at.login(PASSWORD)).status).toBe(200)
  })

  test('the log is searched, which leaves an event, and read, which leaves none', async () => {
    const before = (await at.eventsOf('--type', 'log.read')).length
    const search = await at.gatebook(`log search --type login.* --identifier ${ANNA} --since 1h --json`.split(' '))
    const events = parseLines(search.stdout)
    expect(new Set(events.map(({ type }) => type))).toEqual(new Set(['login.succeeded', 'login.failed']))
    const numbers = events.map(({ number }) => Number(number))
    expect(numbers).toEqual(numbers.toSorted((a, b) => b - a))
    expect(await at.eventsOf('--type', 'log.read')).toHaveLength(before + 1)

    const query = await at.gatebook([
      'log',
      'search',
      'type:login.*',
      '-outcome:success',
      `user:${ANNA}`,
      'since:1h',
      '--json',
    ])
    expect(parseLines(query.stdout)).toEqual(events.filter(({ type }) => type === 'login.failed'))
    const tail = await at.gatebook([
      'log',
      'tail',
      '-type:login.succeeded',
      `${ANNA},nobody@example.org -reason:disabled`,
      '--json',
    ])
    const shownTypes = parseLines(tail.stdout).map(({ type, reason }) => `${type} ${reason}`)
    expect(shownTypes).toContain('login.failed wrong-password')
    expect(shownTypes.filter((line) => /login\.succeeded|disabled$/.test(line))).toEqual([])

    const [event] = events
    const shown = await at.gatebook(['log', 'show', String(event?.id)])
    expect(shown.stdout).toMatch(/\ntime .* \+0[12]:00 \(\d{4}-\d\d-\d\dT[\d:.]+Z\)\n/)
    expect(JSON.parse((await at.gatebook(['log', 'show', String(event?.id), '--json'])).stdout)).toEqual(event)
    expect((await at.gatebook(['log', 'show', 'evt_00000000000000000000000000'])).status).toBe(1)

    expect(await at.gatebook(['log', 'search', '--until', '30d'])).toMatchObject({
      status: 0,
      stdout: '',
      stderr: 'No event matches.\n',
    })
    expect((await at.gatebook(['log', 'search', '--ip', 'not an address'])).status).toBe(2)
    // The search that found nothing, and neither the one that was refused nor what was only shown.
    expect(await at.eventsOf('--type', 'log.read')).toHaveLength(before + 3)
  })

  test('tail -f shows what happens in another process, until it is told to end', async () => {
    const tail = at.start(['log', 'tail', '-f', '-n', '0', '--json', '--user', ANNA])
    // Nothing is printed at the start, so log-ins are repeated until one is seen.
    const attempts = setInterval(() => void at.login(PASSWORD, 'seen by tail').catch(() => {}), 500)
    await tail.saw('stdout', /"user_agent":"seen by tail"/).finally(() => clearInterval(attempts))
    tail.child.kill('SIGINT')
    const { status, stdout, stderr } = await tail.ended
    expect([status, stderr]).toEqual([0, ''])
    expect(parseLines(stdout)[0]).toMatchObject({ type: 'login.succeeded', outcome: 'success' })
  })

  test('no password stands in what was said', async () => {
    expect(at.server.stdout() + at.server.stderr()).not.toMatch(/correct horse|entirely different/)
  })
})
