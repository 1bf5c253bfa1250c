import { describe, expect, test } from 'vitest'
import { FORGOTTEN_NETWORK } from '../../../src/log/retention.ts'
import { generateId } from '../../../src/util/id.ts'
import { availableEngines } from '../../support/engines.ts'
import { type TestGate, until } from '../../support/gate.ts'
import { sealed } from '../../support/sealed-erasure.ts'
import { codesOf, openSignedLog, runAudit, signed } from './signed-log.ts'

const MANY = { events: 5000, networks: 5000, sessions: 0, devices: 0, tokens: 0, counters: 0 }

function erasureRow({ clock }: TestGate, counts: object) {
  const now = clock.now()
  return {
    id: generateId('erasure', now),
    subject_id: 'app-1',
    identifiers: '[]',
    actor_kind: 'admin',
    actor_id: 'usr_somebody',
    reason: 'requested' as const,
    reference: 'DSR-1',
    counts: JSON.stringify(counts),
    started_at: now,
    touched_at: now - 120_000,
  }
}

/** Takes from the refused log-ins whom they were about and where they came from. */
async function emptyFailures({ direct }: TestGate): Promise<void> {
  const nobody = { subject_id: null, subject_number: null, identifier: null, identifier_mask: null }
  await direct.kysely
    .updateTable('gatebook_event')
    .set({ ...nobody, identifier_hmac: null, identifier_key: null, salt_id: null, ...FORGOTTEN_NETWORK })
    .where('type', '=', 'login.failed')
    .execute()
}

const told = async (on: TestGate) => (await on.events()).filter(({ type }) => type === 'log.erased')

describe.each(availableEngines)('on $name, an erasure that somebody has written into the database', (engine) => {
  test('explains nothing, is told, and nobody goes on with it', { timeout: 60_000 }, async () => {
    const on = await openSignedLog(engine)
    const { kysely } = on.direct
    const row = erasureRow(on, MANY)
    await kysely
      .insertInto('gatebook_erasure')
      .values({ ...row, mac: Buffer.alloc(32, 1) })
      .execute()
    await emptyFailures(on)
    expect(codesOf(await runAudit(on))).toEqual(['erasure-forged', 'opening-missing'])
    const tried = until(
      'it was looked at',
      async () => {
        const { touched_at: at } = await kysely
          .selectFrom('gatebook_erasure')
          .select('touched_at')
          .executeTakeFirstOrThrow()
        return Number(at) > row.touched_at
      },
      40_000,
    )
    await tried
    await until('that is said', async () =>
      on.diagnostics.some(({ message }) => message.startsWith('An erasure in the')),
    )
    expect(await told(on)).toEqual([])
  })

  test('explains nothing when it is one that was copied and put back', { timeout: 60_000 }, async () => {
    const on = await openSignedLog(engine)
    const { kysely } = on.direct
    const copy = sealed(erasureRow(on, MANY))
    await kysely.insertInto('gatebook_erasure').values(copy).execute()
    await until('it is finished', async () => (await told(on)).length === 1, 40_000)
    await signed(on)
    // An honest one explains as much as it has taken, for what stands before it.
    await kysely.insertInto('gatebook_erasure').values(copy).execute()
    for (let at = 0; at < 3; at++) await on.gate.log.append({ type: 'app.later', outcome: 'success', userId: 'app-2' })
    await signed(on)
    await kysely
      .updateTable('gatebook_event')
      .set({ subject_id: null, subject_number: null, salt_id: null })
      .where('type', '=', 'app.later')
      .execute()
    expect(codesOf(await runAudit(on))).toEqual(['opening-missing'])
    await until('it is told once more', async () => (await told(on)).length === 2, 40_000)
    await signed(on)
    expect(codesOf(await runAudit(on))).toEqual(['opening-missing'])
  })

  test('is told when what it has taken was raised', async () => {
    const on = await openSignedLog(engine)
    const { kysely } = on.direct
    const row = sealed({ ...erasureRow(on, { ...MANY, events: 1 }), touched_at: on.clock.now() + 1e9 })
    await kysely.insertInto('gatebook_erasure').values(row).execute()
    expect(codesOf(await runAudit(on))).toEqual([])
    await kysely
      .updateTable('gatebook_erasure')
      .set({ counts: JSON.stringify(MANY) })
      .execute()
    expect(codesOf(await runAudit(on))).toEqual(['erasure-forged'])
  })
})
