import {
  dropDatabasesOfRun,
  dropStaleDatabases,
  type EngineAddress,
  type EngineName,
  type MissingEngine,
} from './engine.ts'
import { findMariadb } from './mariadb-server.ts'
import { findPostgres } from './postgres-server.ts'
import { keep, makeFolder } from './private-server.ts'

export interface FoundServer {
  readonly adminUrl: string
  readonly about: string
  /** What it has written about itself, where it was started here. */
  readonly readLog?: () => Promise<string>
  close(): Promise<void>
}

export interface FoundEngines {
  readonly engines: EngineAddress[]
  readonly missing: MissingEngine[]
  /** Drops the databases of this run, ends the servers that were started here, removes their folders. */
  close(): Promise<void>
}

const FIND: Record<EngineName, () => Promise<FoundServer>> = {
  async sqlite() {
    const folder = await makeFolder('sqlite')
    const kept = keep(folder)
    return { adminUrl: `sqlite:${folder}`, about: 'SQLite', close: () => kept.close() }
  },
  postgres: findPostgres,
  mysql: findMariadb,
}

function wantedEngines(): EngineName[] {
  const all = Object.keys(FIND) as EngineName[]
  const listed = process.env.GATEBOOK_TEST_ENGINES?.split(',').map((name) => name.trim())
  const unknown = listed?.filter((name) => !all.includes(name as EngineName)) ?? []
  if (unknown.length > 0)
    throw new Error(`GATEBOOK_TEST_ENGINES names ${unknown.join(', ')}; there are ${all.join(', ')}.`)
  return listed ? all.filter((name) => listed.includes(name)) : all
}

/** Finds or starts a server per engine. Runs once per run, in its main process; needs no test framework. */
export async function findEngines(): Promise<FoundEngines> {
  const engines: EngineAddress[] = []
  const missing: MissingEngine[] = []
  const servers: FoundServer[] = []
  const results = await Promise.all(
    wantedEngines().map(async (name) => {
      try {
        const server = await FIND[name]()
        servers.push(server)
        const address: EngineAddress = { name, about: server.about, adminUrl: server.adminUrl, runPid: process.pid }
        await dropStaleDatabases(address)
        return address
      } catch (error) {
        missing.push({ name, why: (error as Error).message })
        return null
      }
    }),
  )
  for (const address of results) if (address) engines.push(address)
  return {
    engines,
    missing,
    async close() {
      await Promise.all(engines.map((address) => dropDatabasesOfRun(address).catch(() => {})))
      await Promise.all(servers.map((server) => server.close()))
    },
  }
}
