import type { NewEvent } from '../../src/event/event.ts'
import { createEventLog } from '../../src/log/append.ts'
import { parseMasterSecret } from '../../src/secret/master-secret.ts'
import { createSqlStore } from '../../src/store/sql/sql-store.ts'
import { SECRET, type TestGate } from '../support/gate.ts'

const AT_ONCE = 1000

/** Appends many events as another process of the installation would, in few transactions. */
export async function fillLog({ direct, clock }: Pick<TestGate, 'direct' | 'clock'>, count: number): Promise<void> {
  const store = createSqlStore(direct)
  const log = createEventLog({ clock, secret: parseMasterSecret(SECRET, 'secret'), onAppended() {} })
  for (let at = 0; at < count; at += AT_ONCE) {
    const events = Array.from({ length: Math.min(AT_ONCE, count - at) }, (_, more) => describe(at + more))
    await store.transaction((tx) => log.append(tx, events))
  }
}

function describe(number: number): NewEvent {
  return {
    type: 'app.order.placed',
    outcome: 'success',
    actor: { kind: 'application' },
    subject: String(number % 97),
    network: { ip: `198.51.100.${number % 250}`, ipSource: 'application' },
    data: { number },
  }
}
