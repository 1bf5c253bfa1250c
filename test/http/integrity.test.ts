import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { auditRunSchema, integritySchema } from '../../src/http/integrity.ts'
import type { GatebookOptions } from '../../src/options.ts'
import { fillLog } from '../log/fill-log.ts'
import { allPublished, KEY } from '../log/sign-log.ts'
import { availableEngines } from '../support/engines.ts'
import { type ExpectedEvent, openOwnGate, scenario, type TestGate, until } from '../support/gate.ts'
import { call, type Reply } from './caller.ts'

interface World {
  readonly on: TestGate
  ask(line: string, body?: object): Promise<Reply>
  audited(outcome: 'success' | 'failure', data: object): ExpectedEvent
}

async function openWorld(
  engine: (typeof availableEngines)[number],
  options: Partial<GatebookOptions> = {},
): Promise<World> {
  const on = await openOwnGate(engine, { adminPath: '/admin', ...options })
  const chief = on.person('chief')
  const { id } = await on.gate.users.create({
    identifier: chief.identifier,
    password: chief.password,
    roles: ['admin'],
  })
  const { accessToken: token } = await on.gate.login(chief, chief.context)
  return {
    on,
    ask: (line, body) => call(on.gate, line, { token, ...(body !== undefined && { body }) }),
    audited: (outcome, data) => ({
      event: `log.audited ${outcome}`,
      actor: `admin ${id}`,
      from: '203.0.113.9 socket',
      data,
    }),
  }
}

const CURRENT = '/admin/api/audits/current'

async function finish({ ask }: Pick<World, 'ask'>): Promise<Reply> {
  return until('the audit has ended', async () => {
    const reply = await ask(`GET ${CURRENT}`)
    expect(auditRunSchema.parse(reply.json)).toEqual(reply.json)
    return reply.json.state !== 'running' && reply
  })
}

describe.each(availableEngines)('the integrity of the log on $name', (engine) => {
  test('GET /admin/api/integrity says what is signed, published and anchored, and leaves nothing', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatebook-integrity-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const anchor = `file:${join(folder, 'checkpoints')}`
    const { on, ask } = await openWorld(engine, { anchors: [anchor] })
    const size = await allPublished(on)
    await until('the anchor has it', async () => on.gate.log.status().anchors[0]?.size === size)
    await scenario(on)
    const { status, json } = await ask('GET /admin/api/integrity')
    expect(status).toBe(200)
    expect(integritySchema.parse(json)).toEqual(json)
    expect(json).toMatchObject({
      status: { signing: true, signed: { epoch: 1, size }, stopped: null, missing: 0 },
      problem: null,
      size,
      pruned: 0,
      epoch: 1,
      signed: { epoch: 1, size, origin: KEY.name, root_hash: expect.stringMatching(/=$/) },
      checkpoint: { note: expect.stringContaining(`${KEY.name}\n${size}\n`), signed_at: expect.any(Number) },
      anchors: [{ kind: 'file', state: 'current', size, last_success_at: expect.any(Number), last_error: null }],
      last_audit: null,
    })
    expect(json.verifier_keys).toContain(json.verifier_key)
    expect(json.published[0]).toEqual({ epoch: 1, size, signed_at: expect.any(Number), witnesses: [] })
  })

  test('says so where the checkpoint is none that the log has signed', async () => {
    const { on, ask } = await openWorld(engine)
    await allPublished(on)
    const db = on.direct.kysely
    const [row] = await db.selectFrom('gatebook_checkpoint').selectAll().orderBy('size', 'desc').limit(1).execute()
    await db
      .updateTable('gatebook_checkpoint')
      .set({ note: row!.note.replace(/\n(\d+)\n/, (_, size) => `\n${Number(size) + 1}\n`) })
      .where('size', '=', row!.size)
      .execute()
    const { status, json } = await ask('GET /admin/api/integrity')
    expect([status, json.problem.code, json.signed, json.published]).toEqual([200, 'ERR_LOG_TAMPERED', null, []])
    expect(json.status.signing).toBe(true)
  })

  test('an audit runs in the background, one at a time, and is recorded', async () => {
    const world = await openWorld(engine)
    const { on, ask, audited } = world
    await fillLog(on, 600)
    const size = await allPublished(on)
    expect((await ask(`GET ${CURRENT}`)).json.code).toBe('ERR_AUDIT_NOT_FOUND')
    expect((await ask(`DELETE ${CURRENT}`)).status).toBe(204)
    const { expectEvents } = await scenario(on)
    const started = await ask('POST /admin/api/audits')
    expect([started.status, started.headers.get('location')]).toEqual([202, CURRENT])
    expect((await ask('POST /admin/api/audits', {})).json.code).toBe('ERR_AUDIT_RUNNING')
    const { json } = await finish(world)
    expect(json).toMatchObject({
      id: started.json.audit_id,
      state: 'done',
      failure: null,
      findings: [],
      findings_total: 0,
      started_at: on.clock.now(),
      ended_at: on.clock.now(),
    })
    await expectEvents([audited('success', { entries: size, size, findings: 0 })])
    const { last_audit: last } = (await ask('GET /admin/api/integrity')).json
    expect(last).toMatchObject({ type: 'log.audited', outcome: 'success', data: { size } })

    // What somebody has changed; and with the rows, where that is asked for.
    await on.direct.kysely.updateTable('gatebook_event').set({ outcome: 'denied' }).where('id', '=', last.id).execute()
    await on.direct.kysely
      .insertInto('gatebook_role')
      .values({ subject_id: '7', role: 'admin', granted_at: 1 })
      .execute()
    await until('it is signed', async () => on.gate.log.status().waiting === 0)
    await ask('POST /admin/api/audits', { reconcile: true })
    const found = (await finish(world)).json
    expect(found).toMatchObject({ state: 'done', findings_total: found.findings.length })
    const wrong = found.findings.filter(({ severity }: { severity: string }) => severity === 'finding')
    expect(wrong).toContainEqual(
      expect.objectContaining({ event_id: last.id, detail: expect.stringContaining('outcome') }),
    )
    expect(wrong.some(({ detail }: { detail: string }) => detail.startsWith('role '))).toBe(true)
    await expectEvents([audited('failure', { entries: size + 1, size: size + 1, findings: wrong.length })])
  })

  test('an audit that is broken off leaves nothing', async () => {
    const world = await openWorld(engine)
    const { on, ask } = world
    await fillLog(on, 3000)
    await allPublished(on)
    await scenario(on)
    await ask('POST /admin/api/audits')
    expect((await ask(`DELETE ${CURRENT}`)).status).toBe(204)
    expect((await ask(`GET ${CURRENT}`)).json).toMatchObject({ state: 'failed', failure: 'ERR_AUDIT_CANCELLED' })
    expect((await ask('POST /admin/api/audits', { other: 1 })).json.code).toBe('ERR_BODY_INVALID')
  })
})
