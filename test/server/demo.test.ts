import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { post, run, start, stopServer } from '../cli/transcript.ts'

vi.setConfig({ testTimeout: 120_000 })

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatebook-no-demo-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
})

test('serve --demo shows a week with an attack in it, and leaves nothing behind', async () => {
  const env = { TMPDIR: folder }
  const server = start(['serve', '--demo', '--port', '0'], { folder, env })
  onTestFinished(() => stopServer(server))
  const [, url] = await server.saw('stdout', /dashboard +(http:\S+)\/admin\n/, 90_000)
  const [, password] = await server.saw('stdout', /\n {2}password +(\S+)\n/)
  const made = readdirSync(folder)
  expect(made).toEqual([expect.stringMatching(/^gatebook-demo-/)])

  const login = await post(`${url}/auth/login`, { identifier: 'admin@demo.example', password })
  expect(login.status).toBe(200)
  const { access_token: token } = (await login.json()) as { access_token: string }
  const ask = async (path: string) => {
    const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } })
    // biome-ignore lint/suspicious/noExplicitAny: what is expected of it says what it is
    return (await response.json()) as any
  }
  const find = async (q: string) =>
    (await ask(`/admin/api/events?limit=200&${new URLSearchParams({ q }).toString()}`)).items

  const now = Date.now()
  const { series } = await ask(`/admin/api/overview?buckets=7&from=${now - 7 * 86_400_000}&to=${now}`)
  expect(series.filter(({ logins }: { logins: number }) => logins > 0).length).toBeGreaterThanOrEqual(7)
  const refused = await find('type:login.failed ip:198.51.100.0/24')
  expect(refused.length).toBeGreaterThan(80)
  expect(await find('type:login.succeeded ip:198.51.100.0/24')).toHaveLength(1)
  expect(await find('type:session.disowned')).toHaveLength(1)
  expect(await find('reason:refresh-reused')).toHaveLength(1)
  expect(await find('type:app.demo.note')).toHaveLength(2)
  expect((await ask('/admin/api/integrity')).status).toMatchObject({ signing: true, stopped: null })

  await post(`${url}/admin/api/audits`, { reconcile: true }, { authorization: `Bearer ${token}` })
  await vi.waitFor(async () => expect((await ask('/admin/api/audits/current')).state).toBe('done'), 30_000)
  expect((await ask('/admin/api/audits/current')).findings).toEqual([])

  await stopServer(server)
  expect(existsSync(join(folder, made[0]!))).toBe(false)
})

test.each<[Record<string, string>, string]>([
  [{ GATEBOOK_DATABASE: 'sqlite:mine.db' }, '--demo and GATEBOOK_DATABASE are both there'],
  [{ GATEBOOK_SECRET_FILE: 'mine.secret' }, '--demo and GATEBOOK_SECRET_FILE are both there'],
  [{ NODE_ENV: 'production' }, '--demo is not for NODE_ENV=production'],
])('is refused beside %j, and makes nothing', async (env, problem) => {
  const { status, stderr } = await run(['serve', '--demo', '--port', '0'], { folder, env: { TMPDIR: folder, ...env } })
  expect([status, stderr]).toEqual([3, expect.stringContaining(problem)])
  expect(readdirSync(folder)).toEqual([])
})
