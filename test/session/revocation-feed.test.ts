import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { Gatebook } from '../../src/api.ts'
import { generateId } from '../../src/util/id.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openOwnGate, type TestGate, until } from '../support/gate.ts'

/** Reads on, as a verifier elsewhere does, from whichever process answers. */
function createReader(gates: readonly Gatebook[]) {
  const seen = new Map<string, string>()
  let after: string | undefined
  let turn = 0
  return {
    seen,
    async read(waitSeconds = 0) {
      const gate = gates[turn++ % gates.length]!
      const page = await gate.revocations.read({ ...(after !== undefined && { after }), waitSeconds })
      after = page.next
      for (const { sessionId, kind, reason } of page.entries) seen.set(sessionId, reason ?? kind)
      return page
    },
  }
}

async function signIn(on: TestGate) {
  const person = on.person()
  return on.gate.register(person, person.context)
}

describe.each(availableEngines)('the revocation feed on $name', (engine) => {
  test('carries everything that makes an access token void, with its reason', async () => {
    const on = await openOwnGate(engine, { sessionsPerUser: 2 })
    const { gate } = on
    const reader = createReader([gate])
    const expected = new Map<string, string>()
    const anna = on.person()
    const first = await gate.register(anna, anna.context)
    await gate.logout({ refreshToken: first.refreshToken })
    expected.set(first.sessionId, 'logout')

    const second = await gate.login(anna, anna.context)
    on.clock.advance(1000)
    const third = await gate.login(anna, anna.context)
    await gate.logout({ accessToken: third.accessToken, scope: 'others' })
    expected.set(second.sessionId, 'logout-everywhere')

    on.clock.advance(1000)
    const fourth = await gate.login(anna, anna.context)
    on.clock.advance(1000)
    const fifth = await gate.login(anna, anna.context)
    expected.set(third.sessionId, 'session-limit')

    const claims = await gate.tokens.verify(fifth.accessToken)
    await gate.changePassword({ claims, currentPassword: anna.password, newPassword: 'a new and long pass phrase' })
    expected.set(fourth.sessionId, 'password-changed')

    await gate.users.grantRole(fifth.userId, 'editor')
    await reader.read()
    expect(reader.seen.get(fifth.sessionId)).toBe('stale')
    await gate.sessions.end(fifth.sessionId, 'ended-by-admin')
    expected.set(fifth.sessionId, 'ended-by-admin')

    const other = await signIn(on)
    await gate.users.disable(other.userId)
    expected.set(other.sessionId, 'user-disabled')

    await reader.read()
    expect(reader.seen).toEqual(expected)
    expect(await codeOf(gate.tokens.verify(other.accessToken))).toBe('ERR_TOKEN_REVOKED')
  })

  test('says why a session has ended to whoever shows its access token', async () => {
    const on = await openOwnGate(engine)
    const elsewhere = await on.another()
    const { accessToken, sessionId } = await signIn(on)
    await on.gate.sessions.end(sessionId, 'ended-by-admin')
    const refusal = { code: 'ERR_TOKEN_REVOKED', members: { end_reason: 'ended-by-admin' } }
    await expect(on.gate.tokens.verify(accessToken)).rejects.toMatchObject(refusal)
    await until('the poll', async () => (await codeOf(elsewhere.tokens.verify(accessToken))) === 'ERR_TOKEN_REVOKED')
    await expect(elsewhere.tokens.verify(accessToken)).rejects.toMatchObject(refusal)
  })

  test('answers at once when there is something, and waits when there is not', async () => {
    const on = await openOwnGate(engine)
    const reader = createReader([on.gate])
    await reader.read()
    const { sessionId, refreshToken } = await signIn(on)
    const waiting = reader.read(30)
    await sleep(50)
    await on.gate.logout({ refreshToken })
    await waiting
    expect(reader.seen.get(sessionId)).toBe('logout')
  })

  test('is heard of in another process before its next poll where the database can tell, and after it anywhere', async () => {
    const on = await openOwnGate(engine)
    const reader = createReader([await on.another({ revocationPollMilliseconds: 2000 })])
    await reader.read()
    const { sessionId } = await signIn(on)
    const waiting = reader.read(30)
    await on.gate.sessions.end(sessionId, 'ended-by-admin')
    await waiting
    expect(reader.seen.get(sessionId)).toBe('ended-by-admin')
  })

  test('starts with all that still matters, and with nothing that does not', async () => {
    const on = await openOwnGate(engine)
    const old = await signIn(on)
    await on.gate.sessions.end(old.sessionId, 'ended-by-admin')
    on.clock.advance(400_000)
    const young = await signIn(on)
    await on.gate.sessions.end(young.sessionId, 'ended-by-admin')
    on.clock.advance(400_000)
    const reader = createReader([await on.another()])
    const page = await reader.read()
    expect([...reader.seen.keys()]).toEqual([young.sessionId])
    expect(page).toMatchObject({ more: false, asOf: on.clock.now() })
    expect(page.entries[0]!.forgetAt).toBeGreaterThan(on.clock.now())
  })

  test('comes in pages', async () => {
    const on = await openOwnGate(engine)
    const ids = Array.from({ length: 2500 }, () => generateId('session', on.clock.now()))
    for (let at = 0; at < ids.length; at += 100) {
      await on.direct.kysely
        .insertInto('gatebook_revocation')
        .values(ids.slice(at, at + 100).map(rowOf(on)))
        .execute()
    }
    const reader = createReader([on.gate])
    const pages = [await reader.read(), await reader.read(), await reader.read()]
    expect(pages.map(({ entries, more }) => [entries.length, more])).toEqual([
      [1000, true],
      [1000, true],
      [500, false],
    ])
    expect(reader.seen.size).toBe(2500)
    expect((await reader.read()).entries).toEqual([])
  })

  test('lets a reader go when it closes', async () => {
    const on = await openOwnGate(engine)
    const closing = await on.another()
    const reader = createReader([closing])
    await reader.read()
    const waiting = reader.read(30)
    await sleep(50)
    await closing.close()
    expect((await waiting).entries).toEqual([])
  })

  test('lets a reader go when nobody waits for it any more, or when it is released', async () => {
    const on = await openOwnGate(engine)
    const { next } = await on.gate.revocations.read()
    const gone = new AbortController()
    const waiting = on.gate.revocations.read({ after: next, waitSeconds: 30, signal: gone.signal })
    await sleep(20)
    gone.abort()
    expect((await waiting).entries).toEqual([])
    const released = on.gate.revocations.read({ after: next, waitSeconds: 30 })
    await sleep(20)
    on.gate.revocations.release()
    expect((await released).next).toBe(next)
  })

  test('takes no place of before a process was started, for a backup may have been brought back in between', async () => {
    const on = await openOwnGate(engine)
    const { sessionId } = await signIn(on)
    await on.gate.sessions.end(sessionId, 'ended-by-admin')
    const { next } = await on.gate.revocations.read()
    // Brought back: the rows and the numbers of before.
    await on.direct.kysely.deleteFrom('gatebook_revocation').execute()
    const started = await on.another()
    const later = await signIn(on)
    const [row] = [later.sessionId].map(rowOf(on))
    await on.direct.kysely
      .insertInto('gatebook_revocation')
      .values({ ...row!, seq: 1 } as never)
      .execute()
    expect(await codeOf(started.revocations.read({ after: next }))).toBe('ERR_CURSOR_INVALID')
    const entries = async () => (await on.gate.revocations.read()).entries.map(({ sessionId: id }) => id)
    expect(await entries()).toEqual([later.sessionId])
    // The process that lived through it has read the table anew.
    await until(
      'the poll',
      async () => (await codeOf(on.gate.tokens.verify(later.accessToken))) === 'ERR_TOKEN_REVOKED',
    )
  })

  test('does not answer again and again where every second number is missing', async () => {
    const on = await openOwnGate(engine)
    const rows = Array.from({ length: 200 }, (_, at) => ({
      ...rowOf(on)(generateId('session', on.clock.now())),
      seq: 10 + 2 * at,
    }))
    for (let at = 0; at < rows.length; at += 100) {
      await on.direct.kysely
        .insertInto('gatebook_revocation')
        .values(rows.slice(at, at + 100) as never)
        .execute()
    }
    const reader = createReader([on.gate])
    await until('all of them', async () => (await reader.read()) !== null && reader.seen.size === 200)
    await until('the poll', async () => on.gate.revocations.status().entries === 200)
    let answers = 0
    const end = performance.now() + 1500
    while (performance.now() < end) {
      await reader.read(5)
      answers += 1
    }
    expect(answers).toBeLessThanOrEqual(3)
  })

  test('refuses what is no cursor and no time to wait', async () => {
    const on = await openOwnGate(engine)
    expect(await codeOf(on.gate.revocations.read({ after: '1;2' }))).toBe('ERR_CURSOR_INVALID')
    for (const waitSeconds of [-1, 31, Number.NaN]) {
      expect(await codeOf(on.gate.revocations.read({ waitSeconds }))).toBe('ERR_ARGUMENT_INVALID')
    }
  })

  if (engine.name !== 'sqlite') {
    test('never hides what is committed late, however the commits come and whoever answers', {
      timeout: 120_000,
    }, async () => {
      const on = await openOwnGate(engine)
      const others = [await on.another(), await on.another()]
      const reader = createReader([on.gate, ...others])
      const ids: string[] = []
      let writing = true
      // Each holds its numbers for a random time before it commits, and every fourth gives them up.
      const writer = async (place: number) => {
        for (let round = 0; round < 12; round++) {
          const batch = Array.from({ length: 1 + ((round * 7 + place) % 40) }, () =>
            generateId('session', on.clock.now()),
          )
          const commits = (round + place) % 4 !== 0
          await on.direct.kysely
            .transaction()
            .execute(async (tx) => {
              await tx
                .insertInto('gatebook_revocation')
                .values(batch.map(rowOf(on)))
                .execute()
              await sleep(Math.random() * 400)
              if (!commits) throw new Error('given up')
            })
            .then(() => ids.push(...batch))
            .catch(() => undefined)
        }
      }
      const reading = (async () => {
        while (writing) {
          await reader.read(0)
          await sleep(20)
        }
      })()
      await Promise.all(Array.from({ length: 8 }, (_, place) => writer(place)))
      writing = false
      await reading
      for (let turn = 0; turn < 6; turn++) await reader.read()
      expect([...reader.seen.keys()].sort()).toEqual([...ids].sort())
      // And each process has them all, whichever poll they came with.
      await until('the polls', async () =>
        [on.gate, ...others].every((gate) => gate.revocations.status().entries === ids.length),
      )
    })
  }
})

function rowOf(on: TestGate) {
  return (session_id: string) => ({
    session_id,
    kind: 'ended' as const,
    generation: 0,
    reason: 'logout',
    at: on.clock.now(),
    forget_at: on.clock.now() + 600_000,
  })
}
