import { AsyncLocalStorage } from 'node:async_hooks'
import type { DialectName } from '../src/store/dialect.ts'

/** Counts the statements that one request sends to its database: on the driver, so that `begin` and `commit` count too. */
export interface StatementCounter {
  /** Runs `work`; every statement that follows from it is in the list. */
  run(work: () => void): readonly string[]
}

type Method = (this: unknown, ...args: unknown[]) => unknown

export async function countStatements(engine: DialectName): Promise<StatementCounter> {
  const current = new AsyncLocalStorage<string[]>()
  const note = (text: string): void => void current.getStore()?.push(text.replaceAll(/\s+/g, ' '))
  await PATCH[engine](note)
  return {
    run(work) {
      const list: string[] = []
      current.run(list, work)
      return list
    },
  }
}

function wrap(prototype: object, name: string, before: (self: object, args: unknown[]) => void): void {
  const original = Reflect.get(prototype, name) as Method
  Reflect.set(prototype, name, function (this: object, ...args: unknown[]) {
    before(this, args)
    return original.apply(this, args)
  })
}

function textOf(query: unknown): string {
  if (typeof query === 'string') return query
  const { text, sql } = query as { readonly text?: string; readonly sql?: string }
  return text ?? sql ?? '?'
}

const PATCH: Record<DialectName, (note: (text: string) => void) => Promise<void>> = {
  async postgres(note) {
    const { default: pg } = await import('pg')
    wrap(pg.Client.prototype, 'query', (_self, [query]) => note(textOf(query)))
  },

  async mysql(note) {
    const mysql = (await import('mysql2')) as unknown as { readonly PoolConnection: { readonly prototype: object } }
    let prototype = mysql.PoolConnection.prototype
    while (!Object.hasOwn(prototype, 'execute')) prototype = Object.getPrototypeOf(prototype) as object
    for (const name of ['query', 'execute']) wrap(prototype, name, (_self, [query]) => note(textOf(query)))
  },

  async sqlite(note) {
    const builtIn = process.getBuiltinModule?.('node:sqlite' as never) as unknown
    const { DatabaseSync } = (builtIn ?? (await import('@photostructure/sqlite'))) as {
      readonly DatabaseSync: new (path: string) => { prepare(sql: string): object; close(): void }
    }
    const example = new DatabaseSync(':memory:')
    const texts = new WeakMap<object, string>()
    const databases = Object.getPrototypeOf(example) as object
    const prepare = Reflect.get(databases, 'prepare') as (this: unknown, sql: string) => object
    const statements = Object.getPrototypeOf(prepare.call(example, 'select 1')) as object
    example.close()
    Reflect.set(databases, 'prepare', function (this: object, sql: string) {
      const statement = prepare.call(this, sql)
      texts.set(statement, sql)
      return statement
    })
    wrap(databases, 'exec', (_self, [sql]) => note(String(sql)))
    for (const name of ['all', 'run']) wrap(statements, name, (self) => note(texts.get(self) ?? '?'))
  },
}
