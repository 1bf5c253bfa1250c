import { randomBytes } from 'node:crypto'
import { chown, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { queryMysql, queryPostgres } from '../support/engine.ts'
import { until } from '../support/gate.ts'
import { removeGuard } from '../support/log-signing.ts'
import { startPrivateMariadb } from '../support/mariadb-server.ts'
import { startPrivatePostgres } from '../support/postgres-server.ts'
import { findProgram, unprivilegedAccount } from '../support/private-server.ts'
import { look } from './kill-rounds.ts'
import { createLedger, runPatientClient } from './load.ts'
import { startServerProcess } from './server-process.ts'
import { makeSmallDisk, type SmallDisk } from './small-disk.ts'

const CLIENTS = 4
/** One in twenty of them ends with MariaDB giving up. */
const ATTEMPTS = 4
/** The guard of a log lies under the name of its database, so that a second run must not find that of the first. */
const NAME = `full_${randomBytes(6).toString('hex')}`

interface SmallDatabase {
  readonly url: string
  /** Whether the engine itself has ended for want of room: what comes then says nothing about who uses it. */
  gaveUp(): Promise<boolean>
  drop(): Promise<void>
}

/** A database of each engine that lives on this disk. */
const PLACES: Record<string, { megabytes: number; make(disk: SmallDisk): Promise<SmallDatabase | string> }> = {
  sqlite: {
    megabytes: 8,
    make: async (disk) => ({
      url: `sqlite:${join(disk.folder, 'gatebook.db')}`,
      gaveUp: async () => false,
      drop: async () => {},
    }),
  },
  postgres: {
    megabytes: 32,
    async make(disk) {
      // A server that cannot write one tablespace makes no checkpoint, and whoever drops a database waits for one.
      const server = await startPrivatePostgres()
      if (server === null) return 'there is no PostgreSQL to start'
      const admin = server.adminUrl
      const home = join(disk.folder, 'tablespace')
      const { uid, gid } = await unprivilegedAccount('postgres')
      await mkdir(home, { mode: 0o700 })
      if (uid !== undefined && gid !== undefined) await chown(home, uid, gid)
      await queryPostgres(admin, `CREATE TABLESPACE small LOCATION '${home}'`)
      await queryPostgres(admin, `CREATE DATABASE ${NAME} TABLESPACE small`)
      const url = new URL(admin)
      url.pathname = `/${NAME}`
      return { url: url.href, gaveUp: async () => false, drop: () => server.close() }
    },
  },
  mysql: {
    megabytes: 400,
    async make(disk) {
      const program = await findProgram('mariadbd')
      if (program === null) return 'there is no mariadbd to start'
      const server = await startPrivateMariadb(program, disk.folder)
      const url = new URL(server.adminUrl)
      await queryMysql(server.adminUrl, `CREATE DATABASE ${NAME}`)
      url.pathname = `/${NAME}`
      return {
        url: url.href,
        // MariaDB aborts when it has no room to take a transaction back.
        gaveUp: async () => /\[FATAL\] InnoDB: Error \(Out of disk space\) in rollback/.test(await server.readLog!()),
        drop: () => server.close(),
      }
    },
  },
}

/** Fills the disk under load and makes room again. False where the engine has given up, and nothing can be said. */
async function fillUnderLoad(disk: SmallDisk, database: SmallDatabase): Promise<boolean> {
  const ledger = createLedger(['ERR_DATABASE_FULL', 'ERR_UNAVAILABLE'])
  const server = await startServerProcess({
    GATEBOOK_DATABASE: database.url,
    GATEBOOK_SECRET: randomBytes(32).toString('base64'),
    GATEBOOK_ISSUER: 'http://localhost',
    GATEBOOK_DIAGNOSTICS_LEVEL: 'silent',
    GATEBOOK_THROTTLE_ADDRESS_FAILURES: '100000',
    GATEBOOK_THROTTLE_PAIR_FREE: '100',
    GATEBOOK_REFRESH_GRACE_SECONDS: '60',
    GATEBOOK_ACCESS_TOKEN_SECONDS: '3600',
    GATEBOOK_ARGON2_MEMORY_KIB: '7168',
    GATEBOOK_ARGON2_ITERATIONS: '1',
  })
  let going = true
  const full = () => ledger.excused.get('ERR_DATABASE_FULL') ?? 0
  const away = () => ledger.excused.get('ERR_UNAVAILABLE') ?? 0
  const clients = Array.from({ length: CLIENTS }, () => runPatientClient(server.url, ledger, () => going))
  try {
    await until('the first answers', async () => ledger.answers >= 20, 60_000)
    await disk.fill()
    await until('a refusal', async () => full() >= 10 || away() > 0 || ledger.problems.length > 0, 90_000)
    expect(ledger.problems).toEqual([])
    if (await database.gaveUp()) return false
    await disk.free()
    const before = ledger.sessions.length
    await until('log-ins again', async () => ledger.sessions.length > before + 5, 60_000)
  } finally {
    going = false
    await Promise.all(clients)
    expect(server.exitCode()).toBeNull()
    await server.stop()
  }
  expect(await look(database.url, ledger, true)).toEqual([])
  expect(full()).toBeGreaterThanOrEqual(10)
  expect(away()).toBe(0)
  return true
}

/** The failure that this prevents: an answer whose change was lost because there was no room for it, and a server that hangs. */
describe.each(Object.entries(PLACES))('a full disk under %s', (_, { megabytes, make }) => {
  test('is told clearly, loses nothing that was answered, and is over when there is room', {
    timeout: 180_000,
  }, async (context) => {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const disk = await makeSmallDisk(megabytes)
      if (disk === null) {
        if (process.env.CI === 'true') throw new Error('no file system could be mounted')
        context.skip('It takes an account that may mount a file system (root on Linux).')
        return
      }
      onTestFinished(() => disk.remove())
      const database = await make(disk)
      if (typeof database === 'string') {
        if (process.env.CI === 'true') throw new Error(database)
        context.skip(database)
        return
      }
      onTestFinished(async () => {
        removeGuard(database.url)
        await database.drop()
      })
      if (await fillUnderLoad(disk, database)) return
    }
    throw new Error(`The engine has given up ${ATTEMPTS} times.`)
  })
})
