/**
 * A process of the storm (`storm.ts`), which is killed at any moment: it writes events, or it signs, or on SQLite both. Tells its parent
 * what it has committed, right after the commit.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createGatebook } from '../../src/gatebook.ts'
import { createEventLog } from '../../src/log/append.ts'
import { parseMasterSecret } from '../../src/secret/master-secret.ts'
import { parseDatabaseUrl } from '../../src/server/database-url.ts'
import { createSqlStore } from '../../src/store/sql/sql-store.ts'
import type { Store } from '../../src/store/store.ts'
import { systemClock } from '../../src/util/clock.ts'
import { signingOf } from '../support/log-signing.ts'

export interface StormSettings {
  readonly url: string
  readonly secret: string
  readonly signs: boolean
  /** None: 0. */
  readonly writers: number
}

/** What a process tells: that it has begun, the events of one transaction, or what its diagnostics say is wrong. */
export type StormNews =
  | { readonly kind: 'begun' }
  | { readonly kind: 'committed' | 'rolled-back'; readonly ids: readonly string[] }
  | { readonly kind: 'error'; readonly message: string }

/** Of a pool; two pools, so that no writer waits for a connection. */
const WRITERS_A_STORE = 8
const ROLLED_BACK = 0.05
const PAUSE_MILLISECONDS = 60
const OPEN_MILLISECONDS = 20
/** One in so many transactions is open for this much longer: others commit, and are signed, long before it. */
const SLOW_ONE_IN = 20
const SLOW_TIMES = 15

const settings = JSON.parse(process.argv[2]!) as StormSettings
const tell = (news: StormNews): void => void process.send?.(news)
const ending: (() => Promise<void>)[] = []
let goesOn = true

async function sign(): Promise<void> {
  const fail = (fields: object, message: string) =>
    tell({ kind: 'error', message: `${message} ${JSON.stringify(fields)}` })
  const gate = await createGatebook({
    issuer: 'http://localhost',
    database: parseDatabaseUrl(settings.url),
    secret: settings.secret,
    ...signingOf(settings.url),
    sequencerMilliseconds: 20,
    diagnostics: { debug() {}, info() {}, warn() {}, error: fail },
  })
  ending.push(() => gate.close())
}

async function write(store: Store): Promise<void> {
  const secret = parseMasterSecret(settings.secret, 'secret')
  const log = createEventLog({ clock: systemClock, secret, onAppended() {} })
  while (goesOn) {
    await sleep(Math.random() * PAUSE_MILLISECONDS)
    let ids: readonly string[] = []
    const rollsBack = Math.random() < ROLLED_BACK
    try {
      await store.transaction(async (tx) => {
        const events = Array.from({ length: 1 + Math.floor(Math.random() * 3) }, () => ({
          type: 'app.written' as const,
          outcome: 'success' as const,
          actor: { kind: 'application' as const },
        }))
        ids = await log.append(tx, events)
        const times = Math.random() * SLOW_ONE_IN < 1 ? SLOW_TIMES : 1
        // SQLite has one writer: for it, to take one's time is to keep everybody waiting.
        if (tx.traits.queued) await sleep(Math.random() * OPEN_MILLISECONDS * times)
        if (rollsBack) throw new RangeError('rolled back')
      })
      tell({ kind: 'committed', ids })
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      tell({ kind: 'rolled-back', ids })
    }
  }
}

if (settings.signs) await sign()
const writing: Promise<void>[] = []
for (let left = settings.writers; left > 0; left -= WRITERS_A_STORE) {
  const store = createSqlStore(await parseDatabaseUrl(settings.url).connect())
  ending.push(() => store.close())
  for (let writer = 0; writer < Math.min(left, WRITERS_A_STORE); writer++) writing.push(write(store))
}
process.on('message', async () => {
  goesOn = false
  await Promise.all(writing)
  for (const end of ending.reverse()) await end()
  process.disconnect()
})
process.on('disconnect', () => process.exit())
tell({ kind: 'begun' })
await Promise.all(writing)
