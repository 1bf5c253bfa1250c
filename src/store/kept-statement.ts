import { type Compilable, CompiledQuery, type QueryResult } from 'kysely'
import type { Transaction } from './transaction.ts'

export type KeptStatement<Row> = (tx: Transaction, rows: readonly Row[]) => Promise<QueryResult<unknown>>

/**
 * A statement of which the text follows from the engine, the number of its rows and the names of their columns. It is built and compiled
 * once for each, since that costs several times what sending it does.
 *
 * `partsOf` gives what goes into one table, or into several: `build` MUST put in all rows of the first part, then all of the second, each
 * with the columns in the order that they have in the first row. Where it does not, the first use throws a TypeError; where a row has other
 * columns than the first one, each use does.
 */
export function keepStatement<Row>(
  build: (tx: Transaction, rows: readonly Row[]) => Compilable,
  partsOf: (row: Row) => readonly object[],
): KeptStatement<Row> {
  const texts = new Map<string, string>()
  return (tx, rows) => {
    const parts = rows.map(partsOf)
    const columns = parts[0]?.map((part) => Object.keys(part)) ?? []
    const parameters = columns.flatMap((names, at) => parts.flatMap((row) => valuesOf(row[at]!, names)))
    const shape = `${tx.traits.name} ${rows.length} ${columns.join(' ')}`
    let text = texts.get(shape)
    if (text === undefined) {
      const compiled = build(tx, rows).compile()
      const { length } = compiled.parameters
      if (length !== parameters.length || compiled.parameters.some((value, at) => value !== parameters[at]))
        throw new TypeError('the parameters of a kept statement are not those that it was built with')
      text = compiled.sql
      texts.set(shape, text)
    }
    return tx.db.executeQuery(CompiledQuery.raw(text, parameters))
  }
}

function valuesOf(part: object, names: readonly string[]): unknown[] {
  const values = names.map((name) => (part as Readonly<Record<string, unknown>>)[name])
  if (values.includes(undefined) || Object.keys(part).length !== names.length)
    throw new TypeError('the rows of a kept statement do not have the same columns')
  return values
}
