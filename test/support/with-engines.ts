import { spawn } from 'node:child_process'
import { openEngine } from './engine.ts'
import { findEngines } from './find-engines.ts'

/**
 * Runs a command with database servers at hand, for what is not a test suite: an example, a benchmark, several suites
 * that share one server. Servers that were started for it end with it.
 *
 *     node --import tsx test/support/with-engines.ts -- npm test
 *
 * The command finds in its environment GATEBOOK_TEST_POSTGRES and GATEBOOK_TEST_MYSQL (URLs that may create databases),
 * and POSTGRES_URL, MYSQL_URL and SQLITE_URL (an empty database of its own on each).
 */
const [command, ...args] = process.argv.slice(process.argv.indexOf('--') + 1)
if (!process.argv.includes('--') || command === undefined) {
  console.error('usage: with-engines.ts -- COMMAND [ARGUMENT...]')
  process.exit(2)
}

const found = await findEngines()
for (const { name, why } of found.missing) console.error(`${name}: ${why}`)

const env: Record<string, string> = {}
for (const address of found.engines) {
  const { url } = await openEngine(address).createDatabase()
  env[`${address.name.toUpperCase()}_URL`] = url
  if (address.name !== 'sqlite') env[`GATEBOOK_TEST_${address.name.toUpperCase()}`] = address.adminUrl
}

const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...env } })
// The terminal tells the child as well; waiting here is what lets it end in its own time, and the servers after it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {})
const status = await new Promise<number>((resolve) => {
  child.on('error', (error) => {
    console.error(error.message)
    resolve(127)
  })
  child.on('exit', (code) => resolve(code ?? 1))
})
await found.close()
process.exit(status)
