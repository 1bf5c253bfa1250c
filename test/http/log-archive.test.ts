import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openLogDirectory } from '../../src/cli/exported-log/log-directory.ts'
import { verifyDirectory } from '../../src/cli/exported-log/verify-directory.ts'
import { formatTarFile } from '../../src/http/tar.ts'
import { parseVerifierKeys } from '../../src/log/exported/epoch-keys.ts'
import { exportTiles } from '../../src/log/exported/export-tiles.ts'
import { fillLog } from '../log/fill-log.ts'
import { allPublished } from '../log/sign-log.ts'
import { availableEngines } from '../support/engines.ts'
import { openOwnGate, scenario, until } from '../support/gate.ts'
import { call } from './caller.ts'

const PATH = '/admin/api/integrity/export'

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatebook-archive-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

function filesOf(folder: string): Map<string, string> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(
    names
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .sort()
      .map((name) => [name, readFileSync(join(folder, name), 'hex')]),
  )
}

describe.each(availableEngines)('the log as an archive, on $name', (engine) => {
  async function openWorld() {
    const on = await openOwnGate(engine, { adminPath: '/admin' })
    const chief = on.person('chief')
    const { id } = await on.gate.users.create({
      ...{ identifier: chief.identifier, password: chief.password, roles: ['admin'] },
    })
    const { accessToken } = await on.gate.login(chief, chief.context)
    const get = (token: string) =>
      on.gate.fetch(new Request(`https://app.example${PATH}`, { headers: { authorization: `Bearer ${token}` } }))
    return { on, id, accessToken, get }
  }

  test('is what the command writes into a folder, and verifies there', async () => {
    const { on, id, accessToken, get } = await openWorld()
    await fillLog(on, 700)
    const size = await allPublished(on)
    const { expectEvents } = await scenario(on)
    const response = await get(accessToken)
    expect([
      response.status,
      response.headers.get('content-type'),
      response.headers.get('content-disposition'),
    ]).toEqual([200, 'application/x-tar', 'attachment; filename="gatebook-log.tar"'])
    const archive = Buffer.from(await response.arrayBuffer())
    await expectEvents([
      { event: 'log.exported success', actor: `admin ${id}`, data: { format: 'tiles', first: 0, entries: size } },
    ])
    const folder = newFolder()
    writeFileSync(join(folder, 'log.tar'), archive)
    // GNU tar, which complains about whatever is not as it should be.
    execFileSync('tar', ['-xf', 'log.tar'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
    const taken = join(folder, 'gatebook-log')
    const keys = parseVerifierKeys(readFileSync(join(taken, 'vkey'), 'utf8'))
    const report = await verifyDirectory(openLogDirectory(taken), { keys, notes: [] })
    expect(report).toMatchObject({ findings: [] })
    expect(report.size).toBeGreaterThanOrEqual(size)

    const own = newFolder()
    mkdirSync(join(own, 'log'))
    const again = await exportTiles(on.gate.log, openLogDirectory(join(own, 'log')), { context: {} })
    await expectEvents([
      {
        ...{ event: 'log.exported success', actor: 'application' },
        data: { format: 'tiles', first: 0, entries: again.size },
      },
    ])
    const [taking, written] = [filesOf(taken), filesOf(join(own, 'log'))]
    // The second one has the events of the first one, too: full tiles and bundles are the same.
    const full = [...taking].filter(([name]) => name.startsWith('tile/') && !name.includes('.p/'))
    expect(full.length).toBeGreaterThan(3)
    for (const [name, bytes] of full) expect([name, written.get(name) === bytes]).toEqual([name, true])
  })

  test('is for admins, two at a time, and a reader who goes away leaves the place', async () => {
    const { on, accessToken, get } = await openWorld()
    await fillLog(on, 600)
    await allPublished(on)
    expect((await get('x')).status).toBe(401)
    const person = on.person()
    const { accessToken: other } = await on.gate.register(person, person.context)
    expect((await get(other)).status).toBe(403)
    const open = [await get(accessToken), await get(accessToken)]
    const third = await get(accessToken)
    expect([third.status, ((await third.json()) as { code: string }).code]).toEqual([503, 'ERR_STREAMS_EXHAUSTED'])
    for (const response of open) await response.body!.cancel()
    await until('there is a place again', async () => {
      const again = await get(accessToken)
      await again.body!.cancel()
      return again.status === 200
    })
  })

  test('breaks off without its end when the entries are not those of the checkpoint', async () => {
    const { on, accessToken, get } = await openWorld()
    await fillLog(on, 300)
    await allPublished(on)
    const { kysely } = on.direct
    const row = await kysely
      .selectFrom('gatebook_entry')
      .selectAll()
      .where('log_index', '=', 7)
      .executeTakeFirstOrThrow()
    const leaf = Buffer.from(row.leaf)
    leaf[10] = leaf[10]! ^ 1
    await kysely.updateTable('gatebook_entry').set({ leaf }).where('log_index', '=', 7).execute()
    await expect(get(accessToken).then((response) => response.arrayBuffer())).rejects.toThrow()
  })
})

test('before anything is published there is none', async () => {
  const on = await openOwnGate(availableEngines[0]!, { adminPath: '/admin', logSigning: 'off' })
  const chief = on.person('chief')
  await on.gate.users.create({ identifier: chief.identifier, password: chief.password, roles: ['admin'] })
  const { accessToken: token } = await on.gate.login(chief, chief.context)
  const reply = await call(on.gate, `GET ${PATH}`, { token })
  expect([reply.status, reply.json.code]).toEqual([404, 'ERR_LOG_UNPUBLISHED'])
})

test('a name that no archive can hold is a mistake of ours', () => {
  for (const name of ['', 'x'.repeat(101), 'ü', 'a b']) {
    expect(() => formatTarFile(name, new Uint8Array(0), 0)).toThrow(TypeError)
  }
})
