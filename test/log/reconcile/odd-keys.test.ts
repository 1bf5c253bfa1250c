import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { findEngine } from '../../support/engines.ts'
import { codeOf, openOwnGate } from '../../support/gate.ts'
import { runReconcile } from './run-reconcile.ts'

test.each([
  ['gatebook_subject', '(id, generation, credential_version, created_at)', '1, 1, 1'],
  ['gatebook_role', '(subject_id, role, granted_at)', "'editor', 1"],
])(
  'keys of %s that are no text end reconciliation on SQLite, and do not keep it going',
  async (table, columns, rest) => {
    const on = await openOwnGate(findEngine('sqlite')!)
    // More than are read at a time, in bytes that are read as others, which stand before them.
    for (let at = 0; at < 300; at++) {
      const key = `cast(x'ff${Buffer.from(String(at).padStart(4, '0')).toString('hex')}' as text)`
      await sql.raw(`insert into ${table} ${columns} values (${key}, ${rest})`).execute(on.direct.kysely)
    }
    expect(await codeOf(runReconcile(on))).toBe('ERR_LOG_TAMPERED')
  },
)
