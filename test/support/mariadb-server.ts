import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { queryMysql } from './engine.ts'
import type { FoundServer } from './find-engines.ts'
import {
  findFreePort,
  findProgram,
  type Kept,
  keep,
  makeFolder,
  makeOwnedFolder,
  run,
  unprivilegedAccount,
  waitUntilAnswers,
} from './private-server.ts'

const HOW =
  'Set GATEBOOK_TEST_MYSQL to the URL of a user that may create databases, or install MariaDB 10.11 or newer (Debian: apt-get install mariadb-server).'
const SOCKETS = [
  '/run/mysqld/mysqld.sock',
  '/var/run/mysqld/mysqld.sock',
  '/tmp/mysql.sock',
  '/var/lib/mysql/mysql.sock',
]

export async function findMariadb(): Promise<FoundServer> {
  const given = process.env.GATEBOOK_TEST_MYSQL
  if (given) return { adminUrl: given, about: await check(given), close: async () => {} }

  const usual = [
    { adminUrl: 'mysql://root@127.0.0.1:3306/', where: '127.0.0.1:3306' },
    ...SOCKETS.map((path) => ({
      adminUrl: `mysql://root@localhost/?socketPath=${encodeURIComponent(path)}`,
      where: path,
    })),
  ]
  for (const { adminUrl, where } of usual) {
    try {
      return { adminUrl, about: `${await check(adminUrl)} on ${where}`, close: async () => {} }
    } catch {
      // Nobody there, or a password is wanted.
    }
  }

  let why = ''
  try {
    const server = (await findProgram('mariadbd')) ?? (await findProgram('mysqld'))
    if (server) return await startPrivateMariadb(server)
  } catch (error) {
    why = ` (${(error as Error).message.split('\n').slice(0, 3).join(' ')})`
  }
  throw new Error(`No MariaDB or MySQL answers on 127.0.0.1:3306 and none could be started${why}. ${HOW}`)
}

/** Creates and drops a database, because no query says in advance whether that will be allowed; returns the version. */
async function check(url: string): Promise<string> {
  const name = `gatebook_test_check_${process.pid}`
  await queryMysql(url, `CREATE DATABASE IF NOT EXISTS ${name}`)
  await queryMysql(url, `DROP DATABASE IF EXISTS ${name}`)
  const [row] = await queryMysql(url, 'SELECT VERSION() AS version')
  const version = String(row?.version)
  return `${version.includes('MariaDB') ? 'MariaDB' : 'MySQL'} ${version.split('-')[0]}`
}

/** `where`: the folder in which its own is made; the usual one for temporary things when absent. */
export async function startPrivateMariadb(command: string, where?: string): Promise<FoundServer> {
  const account = await unprivilegedAccount('mysql')
  const folder = await makeFolder('mysql', where)
  // On a disk that is full it could not say why it ends.
  const logFolder = await makeFolder('mysql-log')
  let kept: Kept | null = null
  try {
    const home = await makeOwnedFolder(join(folder, 'server'), account)
    const data = join(home, 'data')
    await makeOwnedFolder(data, account)
    // At its start a server deletes every #sql file in its folder for temporary tables, those of another server too.
    const temporary = await makeOwnedFolder(join(home, 'tmp'), account)
    const user = account.name ? [`--user=${account.name}`] : []
    const isMariadb = (await run(command, ['--version'])).stdout.includes('MariaDB')
    if (isMariadb) {
      const install = (await findProgram('mariadb-install-db')) ?? (await findProgram('mysql_install_db'))
      if (!install) throw new Error('mariadb-install-db is not on this machine')
      await run(install, [
        '--no-defaults',
        ...user,
        `--datadir=${data}`,
        `--tmpdir=${temporary}`,
        '--auth-root-authentication-method=normal',
        '--skip-test-db',
      ])
    } else
      await run(command, [
        '--no-defaults',
        ...user,
        `--datadir=${data}`,
        `--tmpdir=${temporary}`,
        '--initialize-insecure',
      ])

    const port = await findFreePort()
    const logFile = join(logFolder, 'mysql.log')
    kept = keep(folder, {
      command,
      args: [
        '--no-defaults',
        ...user,
        `--datadir=${data}`,
        `--port=${port}`,
        '--bind-address=127.0.0.1',
        `--socket=${join(home, 'socket')}`,
        `--pid-file=${join(home, 'pid')}`,
        `--tmpdir=${temporary}`,
        '--max-connections=200',
        '--skip-log-bin',
        // 2 writes at every commit and leaves the flush to the system: safe against a killed process, not a power cut.
        '--innodb-flush-log-at-trx-commit=2',
        '--innodb-buffer-pool-size=64M',
        '--performance-schema=OFF',
        ...(isMariadb ? [] : ['--mysqlx=OFF']),
      ],
      stopSignal: 'SIGTERM',
      logFile,
      ...account,
    })
    const adminUrl = `mysql://root@127.0.0.1:${port}/`
    await waitUntilAnswers(kept, logFile, () => check(adminUrl))
    const server = kept
    return {
      adminUrl,
      about: `${await check(adminUrl)}, started for this run`,
      readLog: () => readFile(logFile, 'utf8'),
      async close() {
        await server.close()
        await rm(logFolder, { recursive: true, force: true })
      },
    }
  } catch (error) {
    await (kept ?? keep(folder)).close()
    await rm(logFolder, { recursive: true, force: true })
    throw error
  }
}
