import { expect, test } from 'vitest'
import { loadSqlite } from '../../src/store/dialects/sqlite.ts'
import { availableEngines } from '../support/engines.ts'
import { openOwnGate } from '../support/gate.ts'

const DAY = 86_400_000

test.each(availableEngines.filter(({ name }) => name === 'sqlite'))(
  'on $name it is said when what was forgotten is still in the WAL, after an expiry and after an erasure',
  async (engine) => {
    const on = await openOwnGate(engine, { networkDays: 10 })
    const anna = on.person()
    const { userId } = await on.gate.register(anna, anna.context)
    on.clock.advance(20 * DAY)
    const warnings = () => on.diagnostics.filter(({ message }) => message.includes('the WAL holds what was forgotten'))
    const { DatabaseSync } = await loadSqlite()
    const reader = new DatabaseSync(on.database.url.slice('sqlite:'.length))
    try {
      reader.exec('begin')
      reader.prepare('select number from gatebook_event').all()
      expect((await on.gate.log.expire()).items.length).toBe(1)
      expect(warnings().map(({ level, fields }) => [level, fields])).toEqual([['warn', {}]])
      reader.exec('commit')
      on.clock.advance(DAY)
      // Nothing goes, and nothing is said.
      await on.gate.log.expire()
      expect(warnings().length).toBe(1)
      reader.exec('begin')
      reader.prepare('select number from gatebook_event').all()
      await on.gate.log.erase({ userId })
      expect(warnings().at(1)).toMatchObject({ level: 'warn', fields: { erasure: expect.stringMatching(/^ers_/) } })
      reader.exec('commit')
    } finally {
      reader.close()
    }
  },
)
