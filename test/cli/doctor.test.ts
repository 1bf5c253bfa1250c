import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { parseLines, run, startServer, stopServer } from './transcript.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatebook-CANARYPATH-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('gatebook doctor', () => {
  test('after a first start ends with 0 and shows one line for each check', async () => {
    await stopServer(await startServer([], { folder }))
    const { status, stdout, stderr } = await run(['doctor'], { folder })
    expect([status, stderr]).toEqual([0, ''])
    for (const check of [
      'database',
      'tables',
      'views',
      'sequencer',
      'disk',
      'clock',
      'secret',
      'issuer',
      'proxies',
      'hashing',
      'mail',
    ]) {
      expect(stdout).toMatch(new RegExp(`^(ok|note) +${check} `, 'm'))
    }
    expect(stdout).toMatch(/^0 problems, 0 warnings, \d notes\. /m)
  })

  test('ends with 1 when something is wrong', async () => {
    const env = { GATEBOOK_DATABASE: 'postgres://nobody@127.0.0.1:1/none' }
    const { status, stdout } = await run(['doctor'], { folder, env })
    expect(status).toBe(1)
    expect(stdout).toMatch(/^PROBLEM {2}database {3}The database does not answer\./m)
  })

  test('ends with 3 for a setting that cannot be read', async () => {
    expect(await run(['doctor'], { folder, env: { GATEBOOK_DATABASE: 'oracle://x' } })).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('GATEBOOK_DATABASE'),
    })
  })

  test('--json tells nothing of whose it is', async () => {
    const env = {
      GATEBOOK_DATABASE: 'postgres://CANARYUSER:CANARYPASSWORD@127.0.0.1:1/canarydatabase',
      GATEBOOK_SECRET: 'CANARYsecret0123456789abcdefXYZ!',
      GATEBOOK_HS256_SECRET: 'CANARYhs256secret0123456789abcdefXYZ!',
      GATEBOOK_ISSUER: 'http://canaryissuer.example',
      GATEBOOK_CORS_ORIGINS: 'http://canaryorigin.example',
      GATEBOOK_TRUSTED_PROXIES: '203.0.113.77,0.0.0.0/0',
      GATEBOOK_SMTP_URL: 'smtp://CANARYMAILER:CANARYPASS@127.0.0.1:1',
      GATEBOOK_MAIL_FROM: 'canary@example.org',
      GATEBOOK_APPLICATION_NAME: 'CANARYNAME',
    }
    const { stdout, stderr } = await run(['doctor', '--json'], { folder, env })
    const report = JSON.parse(stdout) as { worst: string; findings: { code: string }[] }
    expect(report.worst).toBe('problem')
    expect(report.findings.map(({ code }) => code)).toEqual(
      expect.arrayContaining(['database-unreachable', 'proxies-everybody', 'issuer-plain', 'mail-unreachable']),
    )
    for (const canary of ['canary', '203.0.113.77', '127.0.0.1', folder]) {
      expect(`${stdout}${stderr}`.toLowerCase(), canary).not.toContain(canary.toLowerCase())
    }
  })

  test('explains which address is recorded', async () => {
    const env = { GATEBOOK_TRUSTED_PROXIES: '10.0.0.0/8' }
    const args = [
      'doctor',
      '--peer',
      '10.0.0.7',
      '--header',
      'X-Forwarded-For: 1.2.3.4, 203.0.113.9',
      '--header',
      'x-forwarded-for: 10.0.0.8',
    ]
    expect((await run(args, { folder, env })).stdout).toBe(
      [
        'recorded         203.0.113.9',
        'ip_source        x-forwarded-for',
        'trusted          10.0.0.0/8',
        'socket           10.0.0.7  trusted: what it wrote counts',
        'x-forwarded-for  10.0.0.8  trusted: what it wrote counts',
        'x-forwarded-for  203.0.113.9  not trusted: the walk ends here',
        '',
      ].join('\n'),
    )
    expect(JSON.parse((await run([...args, '--json'], { folder })).stdout)).toEqual({
      ip: '10.0.0.7',
      ip_source: 'header-ignored',
      hops: [{ from: 'socket', address: '10.0.0.7', trusted: false }],
    })
    expect((await run(['doctor', '--header', 'X-Forwarded-For: 1.2.3.4'], { folder })).status).toBe(2)
    expect((await run(['doctor', '--peer', '10.0.0.7', '--header', 'nothing'], { folder })).status).toBe(2)
  })
})

test('the server says the same when it has started, in one line each', async () => {
  const server = await startServer([], { folder, env: { GATEBOOK_TRUSTED_PROXIES: '::/0' } })
  await server.saw('stderr', /proxies-everybody/)
  await server.saw('stderr', /mail-printed/)
  const lines = parseLines(server.stderr()).filter(({ finding }) => finding !== undefined)
  expect(lines).toContainEqual(
    expect.objectContaining({ level: 'error', check: 'proxies', finding: 'proxies-everybody' }),
  )
  expect(lines.map(({ finding }) => finding)).not.toContain('database-ok')
  await stopServer(server)
})
