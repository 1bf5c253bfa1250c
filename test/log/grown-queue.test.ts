import { sql } from 'kysely'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createSequencer } from '../../src/log/sequencer.ts'
import { parseMasterSecret } from '../../src/secret/master-secret.ts'
import { createSqlStore } from '../../src/store/sql/sql-store.ts'
import { availableEngines } from '../support/engines.ts'
import { dialectOf, openOwnGate, recordDiagnostics, SECRET } from '../support/gate.ts'

const ROWS = 20_000

describe.each(availableEngines)('a queue on $name', (engine) => {
  // The plans of the others do not go by statistics of the table here.
  const analyzed = test.skipIf(engine.name !== 'postgres')

  analyzed('that has grown since it was analyzed is not read as a whole for each batch', async () => {
    const on = await openOwnGate(engine)
    await on.gate.close()
    const store = createSqlStore(await dialectOf(on.database.url).connect())
    onTestFinished(() => store.close())
    const { db } = store
    await sql`
      INSERT INTO gatebook_queue (event_id, leaf, mac)
      SELECT 'evt_grown_' || at, decode(repeat('ab', 500), 'hex'), decode(repeat('00', 32), 'hex')
      FROM generate_series(1, ${sql.lit(ROWS)}) AS at`.execute(db)
    const parts = { clock: on.clock, diagnostics: recordDiagnostics([]), secret: parseMasterSecret(SECRET, 'secret') }
    let before = 0
    let after = 0
    // What its transaction alone has read: others look at the same table.
    const watched: typeof store = {
      ...store,
      transaction: (work, durability) =>
        store.transaction(async (tx) => {
          const count = async (): Promise<number> => {
            const { rows } = await sql<{ count: number }>`
              SELECT coalesce(sum(seq_tup_read), 0)::bigint AS count FROM pg_stat_xact_user_tables
              WHERE relname = 'gatebook_queue'`.execute(tx.db)
            return rows[0]!.count
          }
          before = await count()
          const result = await work(tx)
          after = await count()
          return result
        }, durability),
    }
    expect(await createSequencer({ ...parts, store: watched }).sequence()).toBe('more')
    expect(after - before).toBeLessThan(ROWS / 4)
  })
})
