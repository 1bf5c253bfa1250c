/**
 * Opens a Gatebook, uses it and closes it. Whatever still keeps the process alive then is a handle that was left:
 * `closing.test.ts` waits for the end, which nothing here brings about.
 */

import { createPool } from 'mysql2/promise'
import pg from 'pg'
import { createGatebook } from '../../src/gatebook.ts'
import { mysql } from '../../src/store/dialects/mysql.ts'
import { postgres } from '../../src/store/dialects/postgres.ts'
import { CHEAP_HASHES, dialectOf, ISSUER, PASSWORD, SECRET } from '../support/gate.ts'
import { signingOf } from '../support/log-signing.ts'

const [, , how = '', url = ''] = process.argv
const senders = { sendReset: async () => undefined }

async function use(database: ReturnType<typeof dialectOf>, secret = SECRET): Promise<void> {
  const gate = await createGatebook({
    issuer: ISSUER,
    database,
    secret,
    ...signingOf(url),
    ...CHEAP_HASHES,
    ...senders,
  })
  const identifier = `anna-${process.pid}@app.example`
  const { accessToken } = await gate.register({ identifier, password: PASSWORD })
  await gate.fetch(new Request(`${ISSUER}/auth/me`, { headers: { Authorization: `Bearer ${accessToken}` } }))
  await gate.passwordResets.request({ identifier })
  await gate.login({ identifier, password: 'not the right one at all' }).catch(() => undefined)
  const tail = gate.log.tail({ last: 1 })[Symbol.asyncIterator]()
  await tail.next()
  const waiting = tail.next()
  await gate.close()
  await waiting
}

const WAYS: Readonly<Record<string, () => Promise<void>>> = {
  used: () => use(dialectOf(url)),
  async 'opened in vain'() {
    await use(dialectOf(url))
    const code = await use(dialectOf(url), `${SECRET} and another one`).then(
      () => 'no error',
      (error: { code?: string }) => error.code,
    )
    if (code !== 'ERR_SECRET_MISMATCH') throw new Error(`the second time: ${code}`)
  },
  async 'with a pool of the application'() {
    if (url.startsWith('postgres')) {
      const pool = new pg.Pool({ connectionString: url })
      await use(postgres(pool))
      // Still the application's.
      await pool.query('SELECT 1')
      await pool.end()
    } else {
      const pool = createPool(url)
      await use(mysql(pool))
      await pool.query('SELECT 1')
      await pool.end()
    }
  },
}

await WAYS[how]!()
process.stdout.write('closed\n')
