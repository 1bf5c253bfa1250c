import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createConnection, type RowDataPacket } from 'mysql2/promise'
import pg from 'pg'
import { createDatabaseName, isOfRun, isStale } from './database-name.ts'
import { removeGuard } from './log-signing.ts'

export type EngineName = 'sqlite' | 'postgres' | 'mysql'

export interface TestDatabase {
  /** `sqlite:/path`, `postgres://…` or `mysql://…`. */
  readonly url: string
  /** Removes the database, also while connections to it are open. May be called twice. */
  drop(): Promise<void>
}

export interface Engine {
  readonly name: EngineName
  /** For a person: which server this is and where it came from. */
  readonly about: string
  /** A new, empty database that nobody else uses. */
  createDatabase(): Promise<TestDatabase>
}

/** What the run's main process tells the test processes: plain data, so that it can cross a process border. */
export interface EngineAddress {
  readonly name: EngineName
  readonly about: string
  /** PostgreSQL, MySQL: the URL of a role that may create databases. SQLite: `sqlite:` and a folder. */
  readonly adminUrl: string
  readonly runPid: number
}

export interface MissingEngine {
  readonly name: EngineName
  /** One sentence: why it is not there and how to get it. */
  readonly why: string
}

export function openEngine(address: EngineAddress): Engine {
  const { name, about } = address
  return {
    name,
    about,
    async createDatabase() {
      const { url, drop } = await CREATE[name](address)
      return {
        url,
        async drop() {
          await drop()
          removeGuard(url)
        },
      }
    },
  }
}

const CREATE: Record<EngineName, (address: EngineAddress) => Promise<TestDatabase>> = {
  async sqlite({ adminUrl }) {
    const folder = await mkdtemp(join(adminUrl.slice('sqlite:'.length), 'db-'))
    return {
      url: `sqlite:${join(folder, 'gatebook.db')}`,
      drop: () => rm(folder, { recursive: true, force: true }),
    }
  },
  async postgres({ adminUrl, runPid }) {
    const database = createDatabaseName(runPid)
    await queryPostgres(adminUrl, `CREATE DATABASE ${database}`)
    return {
      url: withDatabase(adminUrl, database),
      drop: async () => {
        await queryPostgres(adminUrl, `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`)
      },
    }
  },
  async mysql({ adminUrl, runPid }) {
    const database = createDatabaseName(runPid)
    await queryMysql(adminUrl, `CREATE DATABASE ${database} CHARACTER SET utf8mb4`)
    return {
      url: withDatabase(adminUrl, database),
      drop: async () => {
        await queryMysql(adminUrl, `DROP DATABASE IF EXISTS ${database}`)
      },
    }
  },
}

function withDatabase(adminUrl: string, database: string): string {
  const url = new URL(adminUrl)
  url.pathname = `/${database}`
  return url.href
}

export async function queryPostgres(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  // Without a listener a server that goes away would end the test process.
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

export async function queryMysql(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const connection = await createConnection({ uri: url, connectTimeout: 10_000 })
  connection.on('error', () => {})
  try {
    const [rows] = await connection.query<RowDataPacket[]>(sql)
    return rows
  } finally {
    await connection.end()
  }
}

const LIST: Record<Exclude<EngineName, 'sqlite'>, (url: string) => Promise<string[]>> = {
  async postgres(url) {
    const rows = await queryPostgres(
      url,
      "SELECT datname AS name FROM pg_database WHERE datname LIKE 'gatebook@_test@_%' ESCAPE '@'",
    )
    return rows.map((row) => String(row.name))
  },
  async mysql(url) {
    const rows = await queryMysql(
      url,
      "SELECT schema_name AS name FROM information_schema.schemata WHERE schema_name LIKE 'gatebook@_test@_%' ESCAPE '@'",
    )
    return rows.map((row) => String(row.name))
  },
}

async function dropDatabases(address: EngineAddress, chosen: (name: string) => boolean): Promise<void> {
  if (address.name === 'sqlite') return
  const { adminUrl } = address
  for (const name of (await LIST[address.name](adminUrl)).filter(chosen)) {
    // Two runs may clean up at the same moment; that the other was first is no failure.
    if (address.name === 'postgres') {
      await queryPostgres(adminUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`).catch(() => {})
    } else await queryMysql(adminUrl, `DROP DATABASE IF EXISTS ${name}`).catch(() => {})
  }
}

/** Drops what killed runs left behind. */
export function dropStaleDatabases(address: EngineAddress): Promise<void> {
  return dropDatabases(address, isStale)
}

/** Drops what the tests of this run did not drop themselves. */
export function dropDatabasesOfRun(address: EngineAddress): Promise<void> {
  return dropDatabases(address, (name) => isOfRun(name, address.runPid))
}
