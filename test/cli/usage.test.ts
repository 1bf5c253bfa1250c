import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { COMMANDS } from '../../src/cli/command.ts'
import { run, type Transcript } from './transcript.ts'

// Each command is a process of its own, and the machine may have other things to do.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatebook-cli-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function gatebook(...args: string[]): Promise<Transcript> {
  return run(args, { folder })
}

describe('help', () => {
  test('lists every command and the exit statuses', async () => {
    const { status, stdout } = await gatebook('--help')
    expect(status).toBe(0)
    for (const [name, { about }] of Object.entries(COMMANDS)) {
      expect(stdout).toContain(name)
      expect(stdout.replace(/\s+/g, ' ')).toContain(about)
    }
    expect(stdout).toContain('3 could not run')
  })

  test.each([
    'serve',
    'migrate',
    'user add',
    'user list',
    'session end',
    'session show',
    'log tail',
    'log search',
    'log show',
  ])('of %s has an example', async (command) => {
    const { status, stdout } = await gatebook(...command.split(' '), '--help')
    expect([status, stdout]).toEqual([0, expect.stringContaining(`Example:\n  $ gatebook ${command}`)])
    expect(await gatebook('help', ...command.split(' '))).toMatchObject({ status: 0, stdout })
  })

  test('never offers a flag for a secret itself', async () => {
    expect((await gatebook('serve', '--help')).stdout).not.toMatch(/--secret |--hs256-secret/)
  })
})

describe('wrong use ends with 2', () => {
  test.each<[string, string[], string]>([
    ['an unknown command', ['usr'], "Unknown command 'usr' (Did you mean user?)\n  See: gatebook --help"],
    ['an unknown command of a group', ['log', 'serch'], '(Did you mean search?)\n  See: gatebook log --help'],
    [
      'an unknown flag',
      ['user', 'list', '--jsno'],
      "'--jsno' (Did you mean --json?)\n  See: gatebook user list --help",
    ],
    ['a missing argument', ['user', 'show'], "Missing required argument 'user'\n  See: gatebook user show --help"],
    ['a number that is none', ['log', 'tail', '-n', 'many'], '--lines takes a whole number from 0 to 500'],
    ['a number out of range', ['user', 'list', '--limit', '501'], '--limit takes a whole number from 1 to 500'],
    ['a time that is none', ['log', 'search', '--since', 'soon'], '--since takes a time such as 15m'],
    ['an event type that is none', ['log', 'search', '--type', 'login.faild'], 'Did you mean login.failed?'],
    [
      'an unknown flag beside a query',
      ['log', 'search', 'user:1', '-reason:flood', '--jsno'],
      "'--jsno' (Did you mean --json?)",
    ],
    ['the same by flag and by query', ['log', 'tail', 'user:1', '--user', '2'], '--user and user: mean the same'],
    ['a letter that is no flag beside a query', ['log', 'search', 'user:1', '-q'], "Unknown option '-q'"],
    ['neither session nor user', ['session', 'end'], 'Either a session id or --user'],
    ['no password', ['user', 'add', 'anna'], 'give it with --password-stdin'],
    ['an empty password', ['user', 'add', 'anna', '--password-stdin'], 'holds no password'],
    ['two ways at once', ['migrate', '--sql', '--dry-run'], 'give one of the two'],
  ])('%s', async (_, args, message) => {
    const { status, stdout, stderr } = await gatebook(...args)
    expect([status, stdout, stderr]).toEqual([2, '', expect.stringContaining(message)])
    expect(stderr.split('\n')).toHaveLength(3)
    const json = await gatebook(...args, '--json')
    expect(json.status).toBe(2)
    expect(JSON.parse(json.stderr)).toMatchObject({ code: 'ERR_USAGE', detail: expect.any(String) })
  })

  test.each<[string, string[], string]>([
    [
      'a value',
      ['log', 'search', '-reason:throttled', 'outcome:failre', 'since:24h'],
      `Did you mean failure?
  -reason:throttled outcome:failre since:24h
                            ^^^^^^
  See: gatebook log search --help\n`,
    ],
    [
      'a term behind wide characters',
      ['log', 'tail', 'identifier:안나 usr:1'],
      `Did you mean user?
  identifier:안나 usr:1
                  ^^^^
  See: gatebook log tail --help\n`,
    ],
    [
      'a term that begins as a flag does',
      ['log', 'tail', '-foo@example.org', '-nora:x'],
      `.
  -foo@example.org -nora:x
                    ^^^^^
  See: gatebook log tail --help\n`,
    ],
    [
      'what is missing',
      ['log', 'search', 'user:1', '-ip:'],
      `, without a blank between.
  user:1 -ip:
             ^
  See: gatebook log search --help\n`,
    ],
  ])('a query points at %s', async (_, args, message) => {
    const { status, stdout, stderr } = await gatebook(...args)
    expect([status, stdout, stderr.slice(-message.length)]).toEqual([2, '', message])
    const json = await gatebook(...args, '--json')
    expect(JSON.parse(json.stderr)).toMatchObject({ code: 'ERR_QUERY_INVALID', column: expect.any(Number) })
  })

  test('a group without a command shows its commands', async () => {
    expect(await gatebook('user')).toMatchObject({ status: 2, stderr: expect.stringContaining('set-password') })
  })
})

describe('what could not run ends with 3', () => {
  test.each([
    ['user', 'list'],
    ['log', 'search'],
    ['session', 'list', 'x'],
    ['user', 'disable', 'x'],
  ])('a SQLite file that is not there: %s %s', async (...args) => {
    const { status, stderr } = await gatebook(...args, '--database', 'sqlite:typo.db')
    expect([status, stderr]).toEqual([3, expect.stringContaining(`${join(folder, 'typo.db')} (--database)`)])
    expect(readdirSync(folder)).toEqual([])
  })

  test('an unknown setting', async () => {
    const { status, stderr } = await run(['user', 'list'], { folder, env: { GATEBOOK_DATABSE: 'x' } })
    expect([status, stderr]).toEqual([3, expect.stringContaining('Did you mean GATEBOOK_DATABASE?')])
  })

  test('a database server that is not there, and no password in what is said', async () => {
    for (const url of ['postgres://app:geheim1@127.0.0.1:9/app', 'mysql://app:geheim1@127.0.0.1:9/app']) {
      const env = { GATEBOOK_DATABASE: url, GATEBOOK_SECRET: 'n0t-a-well-known-text-but-l0ng-enough!' }
      const { status, stdout, stderr } = await run(['user', 'list'], { folder, env })
      expect([status, stdout]).toEqual([3, ''])
      expect(stderr).toMatch(/127\.0\.0\.1/)
      expect(stderr).not.toContain('geheim1')
      expect(stderr.split('\n')).toHaveLength(3)
    }
  })

  test('a secret that is not there is not made beside a database that exists', async () => {
    await run(['migrate'], { folder })
    const { status, stderr } = await gatebook('user', 'list')
    expect([status, stderr]).toEqual([3, expect.stringContaining(join(folder, 'gatebook.secret'))])
    expect(existsSync(join(folder, 'gatebook.secret'))).toBe(false)
  })
})
