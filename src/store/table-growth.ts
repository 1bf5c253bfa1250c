import { CompiledQuery } from 'kysely'
import type { Store } from './store.ts'
import type { Tables } from './tables.ts'

/** Each time that many more rows than before have been added, plans are made anew. */
const FIRST = 1000
const FACTOR = 2

/** For whoever adds many rows: keeps the plans of everybody right while tables grow faster than the engine notices. */
export interface TableGrowth {
  /** So many rows have been added so far. Cheap unless they have doubled. */
  reach(rows: number): Promise<void>
}

export function createTableGrowth({ db, traits }: Store, tables: readonly (keyof Tables)[]): TableGrowth {
  let next = FIRST
  return {
    async reach(rows) {
      if (traits.analyze === null || rows < next) return
      next = rows * FACTOR
      // Advice to the planner: without it everything is slower and nothing is wrong.
      await db.executeQuery(CompiledQuery.raw(traits.analyze(tables))).catch(() => undefined)
    },
  }
}
