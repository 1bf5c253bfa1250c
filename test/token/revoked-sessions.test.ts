import { randomInt } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createRevokedSessions, EVERY_GENERATION, type Revocation } from '../../src/token/revoked-sessions.ts'
import { generateId } from '../../src/util/id.ts'

const NOW = 1_800_000_000_000

function revocationOf(sessionId: string, more: Partial<Revocation> = {}): Revocation {
  return { sessionId, ended: true, generation: 0, reason: 'logout', forgetAt: NOW + 600_000, ...more }
}

describe('the table of revoked sessions', () => {
  test('answers as a map would, through growth and forgetting', () => {
    const sessions = createRevokedSessions()
    const model = new Map<string, { least: number; reason: string | null; forgetAt: number }>()
    const ids = Array.from({ length: 3000 }, () => generateId('session', NOW))
    for (let step = 0; step < 20_000; step++) {
      const sessionId = ids[randomInt(ids.length)]!
      const ended = randomInt(2) === 0
      const generation = ended ? 0 : randomInt(1, 9)
      const forgetAt = NOW + 1000 * randomInt(1, 100)
      const reason = ended ? ['logout', 'expired'][randomInt(2)]! : null
      sessions.note({ sessionId, ended, generation, reason, forgetAt }, NOW)
      const known = model.get(sessionId)
      model.set(sessionId, {
        least: Math.max(ended ? EVERY_GENERATION : generation, known?.least ?? 0),
        reason: reason ?? known?.reason ?? null,
        forgetAt: Math.max(forgetAt, known?.forgetAt ?? 0),
      })
    }
    for (const later of [0, 30_000, 60_000, 98_000]) {
      sessions.forget(NOW + later)
      for (const [id, { forgetAt }] of model) if (forgetAt <= NOW + later) model.delete(id)
      expect(sessions.size).toBe(model.size)
      for (const id of ids) {
        expect(sessions.leastGeneration(id)).toBe(model.get(id)?.least ?? 0)
        expect(sessions.reasonOf(id)).toBe(model.get(id)?.reason ?? null)
      }
    }
    sessions.forget(NOW + 1_000_000)
    expect([sessions.size, sessions.bytes]).toEqual([0, 256 * 25])
  })

  test('tells ids apart that differ in one character', () => {
    const sessions = createRevokedSessions()
    const id = generateId('session', NOW)
    sessions.note(revocationOf(id), NOW)
    for (let at = 4; at < id.length; at++) {
      for (const other of '01z') {
        const near = id.slice(0, at) + other + id.slice(at + 1)
        expect(sessions.leastGeneration(near)).toBe(near === id ? EVERY_GENERATION : 0)
      }
    }
  })

  test('knows nothing of what is no session id', () => {
    const sessions = createRevokedSessions()
    sessions.note(revocationOf('ses_nothing'), NOW)
    sessions.note(revocationOf(generateId('user', NOW)), NOW)
    expect(sessions.size).toBe(0)
    sessions.note(revocationOf(generateId('session', NOW)), NOW)
    expect(sessions.leastGeneration('')).toBe(0)
  })

  test('takes at most 100 bytes for each of a hundred thousand', () => {
    const sessions = createRevokedSessions()
    for (let at = 0; at < 100_000; at++) sessions.note(revocationOf(generateId('session', NOW)), NOW)
    expect(sessions.size).toBe(100_000)
    expect(sessions.bytes / sessions.size).toBeLessThanOrEqual(100)
  })
})
