import type { Insertable } from 'kysely'
import { parseMasterSecret } from '../../src/secret/master-secret.ts'
import { createRowSeal } from '../../src/secret/row-seal.ts'
import type { ErasureTable } from '../../src/store/tables.ts'
import { SECRET } from './gate.ts'

/** A row of an erasure that was begun and not finished, as a process with the secret of the test gates leaves it. */
export function sealed(row: Omit<Insertable<ErasureTable>, 'mac'>): Insertable<ErasureTable> {
  const { id, subject_id, identifiers, actor_kind, actor_id, reason, reference, counts, started_at } = row
  const values = [
    ...[id, subject_id ?? null, identifiers, actor_kind, actor_id ?? null],
    ...[reason, reference ?? null, counts, started_at],
  ]
  return { ...row, mac: createRowSeal(parseMasterSecret(SECRET, 'secret')).make('erasure', values) }
}
