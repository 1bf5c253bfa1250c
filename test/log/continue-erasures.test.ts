import { describe, expect, test } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { openOwnGate, until } from '../support/gate.ts'
import { sealed } from '../support/sealed-erasure.ts'
import { expectClean, runAudit, signed } from './audit/signed-log.ts'
import { readEverything } from './database-contents.ts'

const NOTHING = { events: 0, networks: 0, sessions: 0, devices: 0, tokens: 0, counters: 0 }
const MANY = 250
/** More than one run goes on with. */
const HELD = 45

describe.each(availableEngines)('what is left of many erasures on $name', (engine) => {
  test('is found for the first of the day too, past what is held and what cannot be read', {
    timeout: 90_000,
  }, async () => {
    const on = await openOwnGate(engine)
    const { kysely } = on.direct
    const now = on.clock.now()
    const nameOf = (place: number) => `erased-${String(place).padStart(4, '0')}`
    const subjects = Array.from({ length: MANY }, (_, place) => ({
      id: nameOf(place),
      generation: 2,
      credential_version: 2,
      created_at: 1,
      disabled_at: 1,
      // Many in one instant, so that pages end among equals.
      erased_at: now - 1000 + Math.floor(place / 90),
    }))
    await kysely.insertInto('gatebook_subject').values(subjects).execute()
    const hold = await on.gate.log.holds.add({ identifier: 'held@example.org', reason: 'court' })
    const stopped = (place: number, identifiers: string, touchedAt = now - 120_000) =>
      sealed({
        id: `ers_${String(place).padStart(26, '0')}`,
        subject_id: null,
        identifiers,
        actor_kind: 'system',
        actor_id: 'cli',
        reason: 'requested' as const,
        reference: `DSR-${place}`,
        counts: JSON.stringify({ ...NOTHING, counters: 7 }),
        started_at: now - 120_000,
        touched_at: touchedAt,
      })
    const held = Array.from({ length: HELD }, (_, place) => stopped(place, '["held@example.org"]'))
    await kysely
      .insertInto('gatebook_erasure')
      .values([...held, stopped(HELD, 'not JSON'), stopped(HELD + 1, '["someone@example.org"]')])
      .execute()
    // Somebody is at it.
    await kysely
      .insertInto('gatebook_erasure')
      .values(stopped(HELD + 2, '["busy@example.org"]', now))
      .execute()
    const late = [0, 120, MANY - 1].map(nameOf)
    for (const userId of late) await on.gate.log.append({ type: 'app.late', userId }, { ip: '203.0.113.9' })

    const countErased = async (): Promise<number> =>
      (await kysely.selectFrom('gatebook_event').select('id').where('type', '=', 'log.erased').execute()).length
    await until('all that can be finished', async () => (await countErased()) === 4, 60_000)
    const erased = (await on.events()).filter(({ type }) => type === 'log.erased')
    expect(erased.map(({ reason, data }) => `${reason} ${data.events} ${data.reference ?? ''}`).toSorted()).toEqual([
      `requested 0 DSR-${HELD + 1}`,
      ...late.map(() => 'under-way 1 '),
    ])
    const everything = await readEverything(on.direct)
    for (const userId of late) expect(everything.split(userId).length - 1).toBe(1)
    const left = await kysely.selectFrom('gatebook_erasure').select('identifiers').execute()
    expect(left.length).toBe(HELD + 2)
    expect(left.filter(({ identifiers }) => identifiers === '["someone@example.org"]')).toEqual([])
    const failed = on.diagnostics.filter(({ message }) => message.startsWith('An erasure could not be finished'))
    expect(failed).toEqual([
      {
        level: 'error',
        fields: { err: expect.any(SyntaxError), erasure: `ers_${String(HELD).padStart(26, '0')}` },
        message: expect.any(String),
      },
    ])

    // A minute later they are tried again.
    await kysely.deleteFrom('gatebook_erasure').where('id', '>', stopped(1, '').id).execute()
    await on.gate.log.holds.release(hold.id)
    on.clock.advance(61_000)
    await until(
      'the rest',
      async () => (await kysely.selectFrom('gatebook_erasure').select('id').execute()).length === 0,
      60_000,
    )
    await signed(on)
    expectClean(await runAudit(on))
  })
})
