import { describe, expect, test } from 'vitest'
import { findDifference } from '../../src/event/compare-columns.ts'
import { committedFields, type EventColumns } from '../../src/event/encode.ts'
import { parseLeaf } from '../../src/event/parse-leaf.ts'
import { parseMasterSecret } from '../../src/secret/master-secret.ts'
import { FLOW_OPTIONS, FLOWS } from '../contract/flows.ts'
import { findFault, parseCanonical } from '../event/verify-entry.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openOwnGate, SECRET, until } from '../support/gate.ts'

describe.each(availableEngines)('the entries on $name', (engine) => {
  test('of every flow agree with their events, carry the MAC of the writer, and name nobody', async () => {
    const on = await openOwnGate(engine, FLOW_OPTIONS)
    for (const flow of FLOWS) await codeOf((await flow.prepare(on))(on.gate))
    const { kysely } = on.direct
    const entries = await until('the queue runs empty', async () => {
      const rows = await kysely.selectFrom('gatebook_entry').selectAll().orderBy('log_index').execute()
      const { length } = await on.events()
      return rows.length === length && rows
    })
    const writerKey = parseMasterSecret(SECRET, 'secret').deriveCurrentKey('writer-mac')
    const personal = new Set<string>()
    for (const { event_id: eventId, leaf, leaf_hash: leafHash, mac } of entries) {
      const columns = (await kysely
        .selectFrom('gatebook_event')
        .selectAll()
        .where('id', '=', eventId)
        .executeTakeFirstOrThrow()) as unknown as EventColumns
      const fields = committedFields(columns)
      const opening = {
        id: { salt: columns.salt_id, fields: withoutUndefined(fields.id) },
        net: { salt: columns.salt_net, fields: withoutUndefined(fields.net) },
      }
      expect(findDifference(parseLeaf(leaf), columns)).toBeNull()
      expect(findFault({ eventId, leaf, leafHash, mac: mac!, opening }, writerKey)).toBeNull()
      expect(withoutDigests(parseCanonical(leaf)!)).toEqual(
        withoutUndefined({
          v: 1,
          id: columns.id,
          type: columns.type,
          outcome: columns.outcome,
          reason: columns.reason ?? undefined,
          at: Number(columns.at),
          actor: columns.actor_kind,
          session: columns.session_id ?? undefined,
          token: columns.token_id ?? undefined,
          method: columns.method ?? undefined,
          request: columns.request_id ?? undefined,
          trace: columns.trace_id ?? undefined,
          data: columns.data === null ? undefined : JSON.parse(columns.data),
        }),
      )
      for (const value of [...Object.values(fields.id), ...Object.values(fields.net)]) {
        if (typeof value === 'string' && value.length > 6) personal.add(value)
      }
    }
    expect(personal.size).toBeGreaterThan(80)
    const leaves = Buffer.concat(entries.map(({ leaf }) => Buffer.from(leaf))).toString()
    expect(
      [...personal].filter((value) => leaves.includes(value) && value !== 'gatebook' && value !== 'socket'),
    ).toEqual([])
  })
})

function withoutUndefined(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

function withoutDigests({ commit: _commit, state: _state, ...rest }: Record<string, unknown>): Record<string, unknown> {
  return rest
}
