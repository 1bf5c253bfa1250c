import { expect } from 'vitest'
import type { AuditFinding, AuditOptions, AuditSummary } from '../../../src/api.ts'
import type { GatebookOptions } from '../../../src/options.ts'
import type { Engine } from '../../support/engine.ts'
import { codeOf, openOwnGate, type TestGate, until, WRONG_PASSWORD } from '../../support/gate.ts'

/** What an audit has said. */
export interface Audited {
  readonly findings: readonly AuditFinding[]
  readonly summary: AuditSummary | null
}

export async function runAudit({ gate }: Pick<TestGate, 'gate'>, options: AuditOptions = {}): Promise<Audited> {
  const findings: AuditFinding[] = []
  let summary: AuditSummary | null = null
  for await (const step of gate.log.audit(options)) {
    if (step.kind === 'finding') findings.push(step)
    if (step.kind === 'summary') summary = step
  }
  return { findings, summary }
}

/** Codes of what was found, without notes, each once. */
export function codesOf({ findings }: Audited): string[] {
  return [...new Set(findings.filter(({ severity }) => severity === 'finding').map(({ code }) => code))].sort()
}

/** A log with a history of several people. */
export async function openSignedLog(engine: Engine, options: Partial<GatebookOptions> = {}): Promise<TestGate> {
  const on = await openOwnGate(engine, options)
  await live(on)
  await signed(on)
  return on
}

/** Log-ins, refusals, a refresh, a log-out. */
export async function live(on: TestGate): Promise<void> {
  const { gate } = on
  for (const name of ['anna', 'ben']) {
    const { identifier, password, context } = on.person(name)
    const user = await gate.register({ identifier, password }, context)
    await codeOf(gate.login({ identifier, password: WRONG_PASSWORD }, context))
    const tokens = await gate.login({ identifier, password }, context)
    const newer = await gate.refresh(tokens.refreshToken, context)
    await gate.logout({ accessToken: newer.accessToken }, context)
    await gate.log.append({ type: 'app.order.paid', outcome: 'success', userId: user.userId, data: { order: 7 } })
  }
}

/** Waits until everything that was committed stands under a checkpoint in the database; its size. */
export async function signed({ direct, gate }: TestGate): Promise<number> {
  await gate.log.flush()
  const { kysely } = direct
  return until('the log is signed', async () => {
    const waiting = await kysely.selectFrom('gatebook_queue').select('number').executeTakeFirst()
    const { size } = await kysely.selectFrom('gatebook_log_state').select('size').executeTakeFirstOrThrow()
    const row = await kysely
      .selectFrom('gatebook_checkpoint')
      .select('size')
      .orderBy('epoch', 'desc')
      .orderBy('size', 'desc')
      .limit(1)
      .executeTakeFirst()
    return waiting === undefined && row !== undefined && Number(row.size) === Number(size) && Number(size)
  })
}

export function expectClean(audited: Audited): void {
  expect(audited.findings).toEqual([])
  expect(audited.summary).toMatchObject({ findings: 0, counts: {} })
}
