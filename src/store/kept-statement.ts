import { type Compilable, CompiledQuery, type QueryResult } from 'kysely'
import type { Transaction } from './transaction.ts'

export type KeptStatement<Row> = (tx: Transaction, rows: readonly Row[]) => Promise<QueryResult<unknown>>

/**
 * A statement of which the text follows from the engine and the number of its rows. It is built and compiled once for each, since that
 * costs several times what sending it does.
 *
 * `parametersOf` MUST give what `build` puts into the statement, in that order; where it does not, the first use throws.
 */
export function keepStatement<Row>(
  build: (tx: Transaction, rows: readonly Row[]) => Compilable,
  parametersOf: (rows: readonly Row[]) => readonly unknown[],
): KeptStatement<Row> {
  const texts = new Map<string, string>()
  return (tx, rows) => {
    const name = `${tx.traits.name} ${rows.length}`
    const parameters = parametersOf(rows)
    let text = texts.get(name)
    if (text === undefined) {
      const compiled = build(tx, rows).compile()
      const { length } = compiled.parameters
      if (length !== parameters.length || compiled.parameters.some((value, at) => value !== parameters[at]))
        throw new TypeError('the parameters of a kept statement are not those that it was built with')
      text = compiled.sql
      texts.set(name, text)
    }
    return tx.db.executeQuery(CompiledQuery.raw(text, [...parameters]))
  }
}
