import { type InsertQueryBuilder, type InsertResult, sql } from 'kysely'
import type { DialectTraits } from './dialect.ts'
import type { Tables } from './tables.ts'

/**
 * The same insert, but a row whose `key` is already there is left alone. Not INSERT IGNORE on MySQL, which would also let
 * values that do not fit pass.
 */
export function ifAbsent<Table extends keyof Tables>(
  query: InsertQueryBuilder<Tables, Table, InsertResult>,
  traits: DialectTraits,
  ...key: readonly (keyof Tables[Table] & string)[]
): InsertQueryBuilder<Tables, Table, InsertResult> {
  return traits.conflictClause === 'on-conflict'
    ? query.onConflict((conflict) => conflict.columns(key as never).doNothing())
    : query.onDuplicateKeyUpdate({ [key[0]!]: sql.ref(key[0]!) } as never)
}
