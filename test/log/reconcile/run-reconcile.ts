import type { Discrepancy, DiscrepancyCode, RowKind } from '../../../src/log/reconcile/discrepancies.ts'
import { type ReconcileParts, reconcile } from '../../../src/log/reconcile/reconcile.ts'
import { createSqlStore } from '../../../src/store/sql/sql-store.ts'
import { type TestGate, until } from '../../support/gate.ts'

/** Everything that reconciliation says about the database of a gate. */
export async function runReconcile(
  on: Pick<TestGate, 'direct'>,
  parts: Partial<ReconcileParts> = {},
): Promise<readonly Discrepancy[]> {
  const found: Discrepancy[] = []
  for await (const step of reconcile({ store: createSqlStore(on.direct), ...parts })) {
    if (step.verdict !== 'checked') found.push(step)
  }
  return found
}

/** How many rows of each kind it looks at. */
export async function countChecked(on: Pick<TestGate, 'direct'>): Promise<ReadonlyMap<RowKind, number>> {
  const checked = new Map<RowKind, number>()
  for await (const step of reconcile({ store: createSqlStore(on.direct) })) {
    if (step.verdict === 'checked') checked.set(step.kind, (checked.get(step.kind) ?? 0) + step.rows)
  }
  return checked
}

/** The same as `code id`, sorted: ids that were made in one millisecond have no order. */
export async function codesOf(on: Pick<TestGate, 'direct'>, parts?: Partial<ReconcileParts>): Promise<string[]> {
  return (await runReconcile(on, parts)).map(({ code, id }) => named(code, id)).sort()
}

/** The same with the verdict. */
export async function verdictsOf(on: Pick<TestGate, 'direct'>, parts?: Partial<ReconcileParts>): Promise<string[]> {
  return (await runReconcile(on, parts)).map(({ verdict, code, id }) => `${verdict} ${named(code, id)}`).sort()
}

export function named(code: DiscrepancyCode, id: string): string {
  return `${code} ${id}`
}

/** Waits until every event has its place. */
export async function queueIsEmpty({ direct: { kysely } }: Pick<TestGate, 'direct'>): Promise<void> {
  await until('the queue runs empty', async () => {
    const waiting = await kysely
      .selectFrom('gatebook_queue')
      .select('number')
      .where('rejected_at', 'is', null)
      .execute()
    return waiting.length === 0
  })
}
