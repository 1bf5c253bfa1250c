import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { parseLines, post, run, start, startServer, stopServer } from './transcript.ts'

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

/** Of `nine purple otters sing`, by Django. */
const HASH = 'pbkdf2_sha256$1000$q0KP7e7UvzUK4VE8sw84wF$Bm/KJ0lnXEv/iELMKF75ct13mErXTITaCrckOPRLhQ4='

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatebook-import-'))
  // Not in an afterEach, which comes before a server that the test stops when it is finished.
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
})

function write(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content)
  return name
}

const lines = (...rows: object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('')

describe('gatebook user import', () => {
  test('reads JSON Lines, after a dry run that writes nothing', async () => {
    const file = write(
      'users.jsonl',
      lines(
        { identifier: 'anna@example.org', password_hash: HASH, roles: ['editor'], created_at: '2019-03-01T12:00:00Z' },
        { identifier: 'bert', password_hash: `$2b$12$${'a'.repeat(53)}`, disabled: true },
      ),
    )
    await run(['migrate'], { folder })
    const dry = await run(['user', 'import', file, '--dry-run'], { folder })
    expect(dry).toMatchObject({ status: 3, stderr: expect.stringContaining('master secret') })
    await run(['user', 'add', 'root', '--admin', '--password-stdin'], { folder, input: 'a long enough pass phrase' })
    expect(await run(['user', 'import', file, '--dry-run'], { folder })).toEqual({
      status: 0,
      stdout: [
        'would be imported  2',
        'refused            0',
        '  pbkdf2-django    1',
        '  bcrypt           1',
        'weak hashes        1, until their users log in (docs/import.md)',
        '',
      ].join('\n'),
      stderr: '',
    })
    expect(parseLines((await run(['user', 'list', '--json'], { folder })).stdout)).toHaveLength(1)
    expect((await run(['user', 'import', file, '--json'], { folder })).stdout).toBe(
      '{"dry_run":false,"imported":2,"present":0,"refused":0,"weak":1,"formats":{"pbkdf2-django":1,"bcrypt":1}}\n',
    )
    expect((await run(['user', 'import', file], { folder })).stdout).toContain('there already  2')
    const [anna] = parseLines((await run(['user', 'show', 'anna@example.org', '--json'], { folder })).stdout)
    expect(anna).toMatchObject({ roles: ['editor'], created_at: Date.UTC(2019, 2, 1, 12) })
  })

  test('reads CSV from the standard input', async () => {
    const input = `\ufeffidentifier,password_hash,roles,confirmed\r\n"anna, the first",${HASH},"editor author",true\r\n\r\nbert,${HASH},,\r\n`
    const done = await run(['user', 'import', '-', '--format', 'csv', '--json'], { folder, input })
    expect([done.status, JSON.parse(done.stdout), done.stderr]).toEqual([
      0,
      { dry_run: false, imported: 2, present: 0, refused: 0, weak: 2, formats: { 'pbkdf2-django': 2 } },
      '',
    ])
    const [anna] = parseLines((await run(['user', 'show', 'anna, the first', '--json'], { folder })).stdout)
    expect(anna).toMatchObject({ roles: ['author', 'editor'], confirmed_at: expect.any(Number) })
  })

  test('tells what it refuses by line, keeps the rest, and never a hash', async () => {
    const file = write(
      'users.jsonl',
      Buffer.concat([
        Buffer.from(lines({ identifier: 'anna', password_hash: HASH })),
        Buffer.from('{"identifier":"a","identifier":"b","password_hash":"CANARY"}\n'),
        Buffer.from('\n[1]\nno json CANARY\n'),
        Buffer.from([0x7b, 0xff, 0x7d, 0x0a]),
        Buffer.from(`{"identifier":"${'x'.repeat(70_000)}"}\n`),
        Buffer.from(lines({ identifier: 'c', password_hash: 'CANARY' }, { identifier: 'd', pasword_hash: 'CANARY' })),
        Buffer.from(JSON.stringify({ identifier: 'bert', password_hash: HASH })),
      ]),
    )
    const done = await run(['user', 'import', file, '--refused', 'refused.jsonl'], { folder })
    expect([done.status, done.stdout]).toEqual([1, expect.stringMatching(/^imported +2\nrefused +7\n/)])
    expect(done.stderr).toBe(
      [
        'line 2: the line is JSON with two members of one name (ERR_ROW_MALFORMED)',
        'line 4: the line is no JSON object (ERR_ROW_MALFORMED)',
        'line 5: the line is no JSON (ERR_ROW_MALFORMED)',
        'line 6: the line is not UTF-8 (ERR_ROW_MALFORMED)',
        'line 7: the line is longer than 65536 bytes (ERR_ROW_MALFORMED)',
        'line 8: password_hash is of no known kind, or too costly (ERR_HASH_UNKNOWN)',
        'line 9: there is no member "pasword_hash" (ERR_ROW_MALFORMED)',
        '',
      ].join('\n'),
    )
    expect(parseLines(readFileSync(join(folder, 'refused.jsonl'), 'utf8')).map(({ line }) => line)).toEqual([
      2, 4, 5, 6, 7, 8, 9,
    ])
    expect(statSync(join(folder, 'refused.jsonl')).mode & 0o077).toBe(0)
    const names = parseLines((await run(['user', 'list', '--json'], { folder })).stdout)
    expect(names.map(({ identifier }) => identifier).sort()).toEqual(['anna', 'bert'])
  })

  test('shows the first fifty refusals, and counts the rest', async () => {
    const file = write('users.jsonl', 'x\n'.repeat(200))
    const done = await run(['user', 'import', file], { folder })
    expect(done.stderr.split('\n')).toHaveLength(52)
    expect(done.stderr).toMatch(/… and 150 more\n$/)
  })

  test.each([
    ['a file that is not there', ['no.jsonl'], 'no.jsonl cannot be read (ENOENT)'],
    ['a name that tells no format', ['users.txt'], '--format must be jsonl or csv'],
    ['a folder', ['.', '--format', 'csv'], '. cannot be read'],
  ])('wants a file: %s', async (_, args, problem) => {
    write('users.txt', '')
    expect(await run(['user', 'import', ...args], { folder })).toMatchObject({
      status: 2,
      stderr: expect.stringContaining(problem),
    })
  })

  test.each([
    ['names no identifier', 'name,password_hash\nanna,x\n', 'one of them must be identifier'],
    ['has a column twice', 'identifier,password_hash,identifier\nanna,x,y\n', 'The column identifier comes twice'],
    ['has a first line that is not UTF-8', Buffer.from([0x69, 0xff, 0x0a]), 'must name the columns'],
    ['has a hash where names belong', `identifier,${HASH},${HASH}\n`, 'The column comes twice'],
  ])('stops at CSV that %s', async (_, content, problem) => {
    const file = write('users.csv', content)
    const done = await run(['user', 'import', file], { folder })
    expect(done).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining(problem) })
    expect(done.stderr).not.toContain(HASH)
  })

  test('loses one line of CSV for one broken line, and reads the rest', async () => {
    const content = Buffer.concat([
      Buffer.from(`identifier,password_hash\nfirst,${HASH}\n"open,${HASH}\n`),
      Buffer.from([0xff, 0x2c, 0x78, 0x0a]),
      Buffer.from(`${'x'.repeat(70_000)},x\nlast,${HASH}\n`),
    ])
    const done = await run(['user', 'import', write('users.csv', content), '--json'], { folder })
    expect(done).toMatchObject({ status: 1, stdout: expect.stringContaining('"imported":2') })
    expect(parseLines(done.stderr).map(({ line }) => line)).toEqual([3, 4, 5])
    expect(done.stderr).not.toContain(HASH)
  })

  test('never shows a hash that stands in the place of a name', async () => {
    const done = await run(['user', 'import', write('users.jsonl', lines({ identifier: 'x', [HASH]: 'y' }))], {
      folder,
    })
    expect(done.stderr).toContain('there is no member')
    expect(done.stderr).not.toContain(HASH.slice(0, 20))
  })

  test('takes the parameters of a Firebase project from a file', async () => {
    const file = write(
      'users.jsonl',
      lines({
        identifier: 'user1@example.org',
        hash_format: 'firebase',
        salt: '42xEC+ixf3L2lw==',
        password_hash: 'lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==',
      }),
    )
    expect((await run(['user', 'import', file], { folder })).stderr).toContain('needs --firebase-parameters')
    write(
      'firebase.json',
      JSON.stringify({
        signer_key: 'jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==',
        salt_separator: 'Bw==',
        rounds: 8,
        mem_cost: 14,
      }),
    )
    const done = await run(['user', 'import', file, '--firebase-parameters', 'firebase.json'], { folder })
    expect(done).toMatchObject({ status: 0, stdout: expect.stringContaining('scrypt-firebase') })
    const server = await startServer([], { folder })
    onTestFinished(() => stopServer(server))
    const login = { identifier: 'user1@example.org', password: 'user1password' }
    expect((await post(`${server.url}/auth/login`, login)).status).toBe(200)
  })
})

/** The failure that this prevents: a user who was made twice, or without an event, because a run was stopped. */
describe.each(availableEngines)('an import into $name', (engine) => {
  test('that is killed goes on where it was', async () => {
    const database = await engine.createDatabase()
    onTestFinished(() => database.drop())
    const env = { GATEBOOK_DATABASE: database.url }
    const count = 3000
    const file = write(
      'users.jsonl',
      lines(...Array.from({ length: count }, (_, place) => ({ identifier: `user-${place}`, password_hash: HASH }))),
    )
    await run(['user', 'add', 'root', '--password-stdin'], { folder, env, input: 'a long enough pass phrase' })
    let kills = 0
    for (const milliseconds of [900, 1200, 1500]) {
      const running = start(['user', 'import', file, '--json'], { folder, env })
      await new Promise((resolve) => setTimeout(resolve, milliseconds))
      if (running.child.exitCode === null && running.child.kill('SIGKILL')) kills += 1
      await running.ended
    }
    expect(kills).toBeGreaterThan(0)
    const last = JSON.parse((await run(['user', 'import', file, '--json'], { folder, env })).stdout)
    expect(last).toMatchObject({ refused: 0 })
    expect(last.imported + last.present).toBe(count)
    const again = JSON.parse((await run(['user', 'import', file, '--json'], { folder, env })).stdout)
    expect(again).toMatchObject({ imported: 0, present: count, refused: 0 })
    expect(existsSync(join(folder, 'gatebook.secret'))).toBe(true)
  })
})
