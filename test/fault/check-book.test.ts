import { describe, expect, test } from 'vitest'
import { createGatebook } from '../../src/gatebook.ts'
import { parseDatabaseUrl } from '../../src/server/database-url.ts'
import type { OpenDatabase } from '../../src/store/dialect.ts'
import { findEngine } from '../support/engines.ts'
import { signingOf } from '../support/log-signing.ts'
import { checkBook } from './check-book.ts'
import { createLedger, type Ledger } from './load.ts'

type Meddle = (database: OpenDatabase['kysely'], ledger: Ledger) => Promise<unknown>

/** A check that finds nothing in a book with a hole proves nothing. */
describe.skipIf(findEngine('sqlite') === null)('the check after a kill', () => {
  const cases: readonly [what: string, meddle: Meddle, finding: RegExp][] = [
    ['a lost login.succeeded', (db) => remove(db, 'login.succeeded'), /has no login\.succeeded/],
    ['a lost session.refreshed', (db) => remove(db, 'session.refreshed'), /counter 1, events 0/],
    ['a lost session.ended', (db) => remove(db, 'session.ended'), /has ended 1 times with 0 events/],
    ['a lost user.registered', (db) => remove(db, 'user.registered'), /has 0 user\.registered/],
    ['a lost session', (db) => db.deleteFrom('gatebook_session').execute(), /has no row/],
    ['a lost user', (db) => db.deleteFrom('gatebook_user').execute(), /has no row/],
    [
      'a lost refresh',
      (db) => db.updateTable('gatebook_session').set({ refresh_counter: 0 }).execute(),
      /has counter 0, its client has 1/,
    ],
    [
      'a lost logout',
      (db) => db.updateTable('gatebook_session').set({ ended_at: null }).execute(),
      /is ended for its client, but not here/,
    ],
    ['a lost revocation', (db) => db.deleteFrom('gatebook_revocation').execute(), /revoked: false/],
    [
      'a lost entry',
      (db) => db.deleteFrom('gatebook_entry').where('log_index', '=', 1).execute(),
      /0 times in the log/,
    ],
    [
      'a gap',
      (db) => db.updateTable('gatebook_entry').set({ log_index: 99 }).where('log_index', '=', 2).execute(),
      /entry 99 stands at place/,
    ],
    [
      'an altered leaf',
      (db) =>
        db
          .updateTable('gatebook_entry')
          .set({ leaf: Buffer.from('{}') })
          .execute(),
      /is not what its hash is of/,
    ],
    [
      'an event in the log and in the queue',
      async (db) => {
        const entry = await db.selectFrom('gatebook_entry').selectAll().limit(1).executeTakeFirstOrThrow()
        const { event_id, leaf, mac } = entry
        await db.insertInto('gatebook_queue').values({ event_id, leaf, mac: mac!, rejected_at: null }).execute()
      },
      /2 times in the log/,
    ],
    ['an answer that was wrong', async (_db, ledger) => ledger.problems.push('answered 500'), /answered 500/],
  ]

  test('finds nothing in a whole book', () => meddleAndCheck(async () => {}).then((found) => expect(found).toEqual([])))

  test.each(cases)('finds %s', async (_what, meddle, finding) => {
    expect((await meddleAndCheck(meddle)).join('\n')).toMatch(finding)
  })
})

function remove(db: OpenDatabase['kysely'], type: string): Promise<unknown> {
  return db.deleteFrom('gatebook_event').where('type', '=', type).execute()
}

/** One user who came, refreshed once and left. */
async function meddleAndCheck(meddle: Meddle): Promise<string[]> {
  const { url, drop } = await findEngine('sqlite')!.createDatabase()
  const dialect = parseDatabaseUrl(url)
  const gate = await createGatebook({
    issuer: 'http://localhost',
    secret: 'Zk3Jq0vY8zW2nT6rB5xM1cF9hL4pS7dGa',
    database: dialect,
    ...signingOf(url),
    argon2MemoryKib: 7168,
    argon2Iterations: 1,
  })
  const ledger = createLedger()
  const tokens = await gate.register({ identifier: 'ada@example.test', password: 'a long enough pass phrase' })
  const { refreshToken } = await gate.refresh(tokens.refreshToken)
  await gate.logout({ refreshToken })
  await gate.close()
  const { userId, sessionId: id } = tokens
  ledger.userIds.push(userId)
  ledger.sessions.push({ id, userId, refreshToken, counter: 1, state: 'ended' })
  const { kysely, close } = await dialect.connect()
  try {
    await meddle(kysely, ledger)
    return await checkBook(kysely, ledger, false)
  } finally {
    await close()
    await drop()
  }
}
