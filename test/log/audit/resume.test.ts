import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { AuditSummary } from '../../../src/api.ts'
import { availableEngines } from '../../support/engines.ts'
import { codeOf } from '../../support/gate.ts'
import { openSignedLog, runAudit, signed } from './signed-log.ts'

const comparable = (summary: AuditSummary | null): object => ({ ...summary, milliseconds: 0 })

describe.each(availableEngines)('an audit on $name that is stopped', (engine) => {
  test('goes on where it was, and says the same in the end', async () => {
    const on = await openSignedLog(engine)
    for (let at = 0; at < 1100; at++) await on.gate.log.append({ type: 'app.tick', outcome: 'success' })
    await signed(on)
    const { kysely } = on.direct
    await kysely.updateTable('gatebook_event').set({ outcome: 'denied' }).where('type', '=', 'login.failed').execute()
    await kysely.deleteFrom('gatebook_event').where('type', '=', 'session.refreshed').execute()
    const resume = join(tmpdir(), `gatebook-resume-${process.pid}-${engine.name}`)
    const whole = await runAudit(on)
    // The event that the first one has left is one more.
    await signed(on)
    const stops: string[] = []
    let findings = 0
    for (let rounds = 0; ; rounds++) {
      expect(rounds).toBeLessThan(20)
      const stop = new AbortController()
      let summary: AuditSummary | null = null
      findings = 0
      for await (const step of on.gate.log.audit({ resume, signal: stop.signal })) {
        if (step.kind === 'finding') findings += 1
        if (step.kind === 'progress') stop.abort()
        if (step.kind === 'summary') summary = step
      }
      if (summary !== null) {
        expect(comparable(summary)).toEqual({
          ...comparable(whole.summary),
          size: whole.summary!.size + 1,
          entries: whole.summary!.entries + 1,
          events: whole.summary!.events + 1,
          covered: expect.any(Number),
          checkpoints: expect.any(Number),
          root: expect.any(String),
        })
        break
      }
      const { phase, next, after } = JSON.parse(readFileSync(resume, 'utf8')) as Record<string, unknown>
      stops.push(`${phase} ${next} ${after}`)
    }
    expect(findings).toBe(whole.findings.length)
    expect(new Set(stops).size).toBe(stops.length)
    expect(stops.length).toBeGreaterThan(3)
    expect(existsSync(resume)).toBe(false)
  })

  test('is not continued with other inputs, nor by what is no state', async () => {
    const on = await openSignedLog(engine)
    const resume = join(tmpdir(), `gatebook-other-${process.pid}-${engine.name}`)
    const anchor = `${resume}.anchor`
    const { note } = await on.direct.kysely.selectFrom('gatebook_checkpoint').select('note').executeTakeFirstOrThrow()
    writeFileSync(anchor, note)
    expect((await runAudit(on, { resume, signal: AbortSignal.abort() })).summary).toBeNull()
    expect(await codeOf(runAudit(on, { resume, checkpoints: [anchor] }))).toBe('ERR_AUDIT_INPUT')
    writeFileSync(resume, '{}')
    expect(await codeOf(runAudit(on, { resume }))).toBe('ERR_AUDIT_INPUT')
  })

  test('is not continued by a state that somebody has spoilt', async () => {
    const on = await openSignedLog(engine)
    const resume = join(tmpdir(), `gatebook-spoilt-${process.pid}-${engine.name}`)
    expect((await runAudit(on, { resume, signal: AbortSignal.abort() })).summary).toBeNull()
    const state = JSON.parse(readFileSync(resume, 'utf8')) as object
    const spoilt: readonly Record<string, unknown>[] = [
      ...Object.keys(state).map((name) => ({ [name]: undefined })),
      ...['next', 'size', 'treeSize', 'covered', 'broken'].map((name) => ({ [name]: -1 })),
      { kept: [null] },
      { frontier: 'x' },
      { treeSize: 5, frontier: '' },
      { tiles: [{ place: 1, first: 0, hashes: ['x'] }] },
      { misfits: [{}] },
      { missing: { id: {} } },
      { epochs: [[1, 2, 3]] },
      { phase: 'rows' },
    ]
    for (const change of spoilt) {
      writeFileSync(resume, JSON.stringify({ ...state, ...change }))
      expect(await codeOf(runAudit(on, { resume })), JSON.stringify(change)).toBe('ERR_AUDIT_INPUT')
    }
    writeFileSync(resume, JSON.stringify(state))
    expect((await runAudit(on, { resume })).summary).toMatchObject({ findings: 0 })
  })
})
