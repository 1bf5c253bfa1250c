import { describe, expect, test } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { codeOf, openOwnGate, SECRET, scenario, type TestGate, until, WRONG_PASSWORD } from '../support/gate.ts'
import { createMailbox } from '../support/mailbox.ts'
import { sealed } from '../support/sealed-erasure.ts'
import { dump, findDumpProgram, readColumns, readEverything, readFiles } from './database-contents.ts'
import { PERSONAL_COLUMNS } from './personal-columns.ts'

const NOTHING = { events: 0, networks: 0, sessions: 0, devices: 0, tokens: 0, counters: 0 }

/** Whoever uses everything, so that there is something in every table that can hold anything of a person. */
async function livePerson(on: TestGate, mailbox: ReturnType<typeof createMailbox>) {
  const identifier = 'Martha.Quest@secret.example'
  const context = {
    ip: '203.0.113.77',
    ipSource: 'socket',
    userAgent: 'Quokka/9.9 (private)',
    requestId: 'r-1',
  } as const
  const person = { identifier, password: 'a long enough pass phrase' }
  const { gate } = on
  // Before there was such a user.
  await codeOf(gate.login({ identifier, password: WRONG_PASSWORD }, context))
  await gate.invitations.create({ identifier })
  await gate.registrations.request(person, context)
  const { userId, deviceToken, refreshToken } = await gate.registrations.confirm(
    { token: (await mailbox.next()).token!, password: person.password },
    context,
  )
  await gate.users.grantRole(userId, 'editor')
  await gate.refresh(refreshToken, context)
  await codeOf(gate.login({ identifier, password: WRONG_PASSWORD }, context))
  await codeOf(gate.register(person, { ...context, ip: '203.0.113.78' }))
  const second = await gate.login(person, { ...context, deviceToken })
  await gate.logout({ accessToken: second.accessToken }, context)
  await gate.passwordResets.request({ identifier }, context)
  await mailbox.next()
  await gate.login(person, context)
  await gate.users.setPassword(userId, 'another pass phrase of mine', { actor: { kind: 'admin', id: 'usr_admin' } })
  await gate.login({ identifier, password: 'another pass phrase of mine' }, context)
  await gate.log.append({ type: 'app.thing', userId }, context)
  return { identifier, userId, context, words: ['martha', 'Martha', 'Quokka', '203.0.113.77', '203.0.113.78', 'm***'] }
}

describe.each(availableEngines)('an erasure on $name', (engine) => {
  test('leaves nothing of the person in any column, any dump and any file, and one event that names nobody', async () => {
    const mailbox = createMailbox()
    const on = await openOwnGate(engine, { ...mailbox.options, registration: 'confirm' })
    const bert = on.person('bert')
    await on.gate.users.create(bert)
    await on.gate.login(bert, bert.context)
    const { identifier, userId, words } = await livePerson(on, mailbox)
    const { kysely } = on.direct
    const before = await kysely
      .selectFrom('gatebook_event')
      .selectAll()
      .where(({ eb, or }) => or([eb('subject_id', '=', userId), eb('identifier_hmac', 'is not', null)]))
      .execute()
    const hers = before.filter((row) => row.subject_id === userId || row.identifier_mask !== null)
    const salts = hers.flatMap((row) => [row.salt_id, row.salt_net]).map((salt) => Buffer.from(salt!))
    const texts = new Set(
      hers.flatMap((row) => [row.identifier, row.identifier_mask, row.identifier_hmac, row.device_id, row.ip_key]),
    )
    const secrets = [...words, ...[...texts].filter((text) => text !== null)]
    const found = (text: string) => secrets.filter((secret) => text.includes(secret))
    expect(found(await readEverything(on.direct)).length).toBeGreaterThan(8)
    const told = await scenario(on)

    const preview = await on.gate.log.previewErasure({ identifier })
    expect(preview).toMatchObject({ userId, actsOnOthers: 0, holds: [] })
    expect(preview).toMatchObject({ sessions: 4, devices: 3, tokens: 3 })
    expect(preview.events).toBe(hers.length)
    const admin = { ip: '192.0.2.1', actor: { kind: 'admin', id: 'usr_admin' } } as const
    const { holds: _holds, actsOnOthers: _acts, ...counts } = preview
    const report = await on.gate.log.erase({ userId }, { reference: 'DSR-17' }, admin)
    // The end of the session that was live is one event more.
    expect(report).toEqual({ ...counts, events: counts.events + 1 })
    const { userId: _id, ...data } = report
    await told.expectEvents([
      {
        event: 'session.ended success user-deleted',
        actor: 'admin usr_admin',
        session: expect.any(String),
        from: '192.0.2.1 application',
      },
      {
        event: 'log.erased success requested',
        actor: 'admin usr_admin',
        from: '192.0.2.1 application',
        data: { scope: 'user', ...data, erasure: expect.stringMatching(/^ers_/), reference: 'DSR-17' },
      },
    ])

    const everything = await readEverything(on.direct)
    expect(found(everything)).toEqual([])
    for (const salt of salts) expect(everything).not.toContain(salt.toString('hex'))
    // The one row that says that this id was erased.
    expect(everything.split(userId).length - 1).toBe(1)
    expect(everything).toContain(bert.identifier)
    const program = findDumpProgram(engine.name)
    if (program !== null) {
      const text = dump(program, on.database)
      expect(text).toContain(bert.identifier)
      expect(found(text)).toEqual([])
      for (const salt of salts) expect(text.toLowerCase()).not.toContain(salt.toString('hex'))
    }
    if (engine.name === 'sqlite') {
      const bytes = readFiles(on.database)
      expect(bytes.includes(bert.identifier)).toBe(true)
      expect(secrets.filter((secret) => bytes.includes(secret))).toEqual([])
      expect(salts.filter((salt) => bytes.includes(salt))).toEqual([])
    }
    // Who did something to her is told, and from where.
    const acts = await kysely.selectFrom('gatebook_event').selectAll().where('actor_id', '=', 'usr_admin').execute()
    expect(acts.map(({ type, subject_id: subject }) => [type, subject])).toEqual([
      ['password.changed', null],
      ...[1, 2, 3].map(() => ['session.ended', null]),
      ['log.erased', null],
    ])
    expect(acts.at(-2)).toMatchObject({ ip: '192.0.2.1', salt_id: null })
    expect(acts.at(-2)?.salt_net).not.toBeNull()
  })

  test('empties each column that is said to be emptied, and decides about every column that there is', async () => {
    const mailbox = createMailbox()
    const on = await openOwnGate(engine, { ...mailbox.options, registration: 'confirm' })
    const columns = await readColumns(on.direct)
    const decided = Object.entries(PERSONAL_COLUMNS).map(([table, row]) => [table, Object.keys(row).sort()])
    expect(Object.fromEntries(Object.entries(columns).map(([table, names]) => [table, names.toSorted()]))).toEqual(
      Object.fromEntries(decided),
    )

    const { userId } = await livePerson(on, mailbox)
    const { kysely } = on.direct
    const hers = await kysely.selectFrom('gatebook_event').selectAll().where('subject_id', '=', userId).execute()
    await on.gate.log.erase({ userId })
    const emptied = Object.entries(PERSONAL_COLUMNS.gatebook_event!).flatMap(([name, fate]) =>
      fate === 'emptied' ? [name] : [],
    )
    const numbers = hers.map(({ number }) => number)
    const rows = await kysely
      .selectFrom('gatebook_event')
      .selectAll()
      .where('number', 'in', numbers)
      .orderBy('number')
      .execute()
    expect(rows.length).toBe(hers.length)
    // What an admin or the application did to her keeps its actor.
    const own = rows.filter((row) => row.actor_kind === 'user' || row.actor_kind === 'anonymous')
    expect(own.length).toBeGreaterThan(8)
    for (const row of own) {
      for (const name of emptied) expect([name, (row as Record<string, unknown>)[name]]).toEqual([name, null])
    }
    for (const [name, fate] of Object.entries(PERSONAL_COLUMNS.gatebook_event!)) {
      if (fate === 'emptied') continue
      const value = (row: object) => (row as Record<string, unknown>)[name]
      expect([name, rows.map(value)]).toEqual([
        name,
        hers.toSorted((a, b) => Number(a.number) - Number(b.number)).map(value),
      ])
    }
    for (const [table, row] of Object.entries(PERSONAL_COLUMNS)) {
      if (!Object.values(row).includes('removed') || table === 'gatebook_throttle') continue
      expect([table, await readRows(on, table)]).toEqual([table, []])
    }
    // What is left counts addresses, which are many people's.
    expect((await readRows(on, 'gatebook_throttle')).filter(({ scope }) => scope !== 'address')).toEqual([])
    for (const view of ['user_logs', 'user_log_events']) {
      const shown = await readRows(on, view)
      expect(shown.length).toBeGreaterThan(1)
      expect(shown.filter((row) => row.user_id !== null || row.ip_address !== null)).toEqual([])
    }
  })

  test('is the end of the user: refused like one that never was, and the name is free', async () => {
    const on = await openOwnGate(engine)
    const anna = on.person()
    const { userId, accessToken, refreshToken } = await on.gate.register(anna, anna.context)
    await on.gate.log.erase({ userId })
    const told = await scenario(on)
    expect(await codeOf(on.gate.login(anna, anna.context))).toBe('ERR_LOGIN_REFUSED')
    expect(await codeOf(on.gate.tokens.verify(accessToken))).toBe('ERR_TOKEN_REVOKED')
    expect(await codeOf(on.gate.refresh(refreshToken))).toBe('ERR_REFRESH_INVALID')
    await on.gate.logout({ refreshToken, scope: 'all' })
    await told.expectEvents([
      { event: 'login.failed failure unknown-user', actor: 'anonymous', identifier: 'masked', from: anna.from },
      { event: 'session.refresh-refused denied invalid', actor: 'anonymous' },
    ])
    for (const call of [
      () => on.gate.users.enable(userId),
      () => on.gate.users.grantRole(userId, 'editor'),
      () => on.gate.users.setPassword(userId, anna.password),
    ]) {
      expect(await codeOf(call())).toBe('ERR_USER_NOT_FOUND')
    }
    expect(await on.gate.users.find(userId)).toBeNull()
    // Again: nothing is left to do, and nothing is said.
    expect(await on.gate.log.erase({ userId })).toEqual({ userId, ...NOTHING })
    await told.expectEvents([])
    expect((await on.gate.register(anna, anna.context)).userId).not.toBe(userId)
    expect(await codeOf(on.gate.log.erase({ userId: 'usr_00000000000000000000000000' }))).toBe('ERR_USER_NOT_FOUND')
    await told.expectEvents([
      {
        event: 'user.registered success',
        actor: 'self',
        subject: expect.any(String),
        identifier: 'clear',
        from: anna.from,
      },
      {
        event: 'login.succeeded success',
        actor: 'self',
        subject: expect.any(String),
        identifier: 'clear',
        session: expect.any(String),
        from: anna.from,
        data: { known_device: false },
      },
    ])
  })

  test('of an application’s own user takes the names that were typed for them, and what they did to others stays', async () => {
    const on = await openOwnGate(engine)
    const { gate } = on
    const here = { ip: '203.0.113.5', userAgent: 'private' }
    await (await gate.attempts.begin({ identifier: 'carla' }, here)).fail('unknown-user')
    await (await gate.attempts.begin({ identifier: 'Carla', userId: 42 }, here)).succeed(42)
    await (await gate.attempts.begin({ identifier: 'dora', userId: 43 }, here)).succeed(43)
    await gate.users.disable(43, { ...here, actor: { kind: 'admin', id: '42' } })
    await gate.log.read({}, {}, { ...here, actor: { kind: 'admin', id: '42' } })
    expect(await gate.log.previewErasure({ userId: 42 })).toMatchObject({ userId: '42', events: 2, actsOnOthers: 3 })
    await gate.log.erase({ userId: 42 })
    const rows = await on.direct.kysely
      .selectFrom('gatebook_event')
      .select(['type', 'subject_id', 'subject_number', 'actor_id', 'identifier', 'identifier_hmac', 'ip'])
      .where('type', 'not like', 'key.%')
      .where('type', 'not like', 'log.e%')
      .orderBy('number')
      .execute()
    expect(rows.map((row) => [row.type, row.subject_id, row.actor_id, row.identifier, row.ip])).toEqual([
      ['login.failed', null, null, null, null],
      ['login.succeeded', null, null, null, null],
      ['login.succeeded', '43', '43', 'dora', '203.0.113.5'],
      ['user.disabled', '43', '42', null, '203.0.113.5'],
      ['session.ended', '43', '42', null, '203.0.113.5'],
      ['log.read', null, '42', null, '203.0.113.5'],
      // By the erasure.
      ['session.ended', null, null, null, null],
    ])
    const told = await scenario(on)
    const again = await gate.attempts.begin({ identifier: 'carla', userId: 42 }, here)
    expect(await codeOf(again.succeed(42))).toBe('ERR_LOGIN_REFUSED')
    expect(await codeOf(gate.sessions.start(42))).toBe('ERR_LOGIN_REFUSED')
    await told.expectEvents([
      {
        event: 'login.failed failure unknown-user',
        actor: 'anonymous',
        identifier: 'digest',
        from: '203.0.113.5 application',
      },
      { event: 'login.failed failure unknown-user', actor: 'application' },
    ])
  })

  test('of an identifier that was never anybody’s finds it under every version of the secret', async () => {
    const on = await openOwnGate(engine, { secret: `1:${SECRET}` })
    const typed = { identifier: 'Nobody.Known@secret.example', password: WRONG_PASSWORD }
    await codeOf(on.gate.login(typed, { ip: '203.0.113.6' }))
    const later = await on.another({
      secret: `2:${SECRET.split('').reverse().join('')},1:${SECRET}`,
    })
    await codeOf(later.login(typed, { ip: '203.0.113.6' }))
    await codeOf(later.login({ ...typed, identifier: 'other@secret.example' }, { ip: '203.0.113.6' }))
    const told = await scenario(on)
    const report = await later.log.erase({ identifier: 'nobody.known@secret.example' })
    expect(report).toMatchObject({ userId: null, events: 2, networks: 2 })
    const { userId: _id, ...data } = report
    await told.expectEvents([
      {
        event: 'log.erased success requested',
        actor: 'application',
        data: { scope: 'identifier', ...data, erasure: expect.stringMatching(/^ers_/) },
      },
    ])
    const rows = await on.direct.kysely
      .selectFrom('gatebook_event')
      .select(['identifier_hmac', 'salt_id', 'salt_net'])
      .where('type', '=', 'login.failed')
      .orderBy('number')
      .execute()
    expect(rows.map((row) => Object.values(row).map((value) => value !== null))).toEqual([
      [false, false, false],
      [false, false, false],
      [true, true, true],
    ])
    expect(await later.log.erase({ identifier: 'nobody.known@secret.example' })).toEqual({ userId: null, ...NOTHING })
  })

  test('of an admin who asks for it does not say who that was', async () => {
    const on = await openOwnGate(engine)
    const anna = on.person()
    const { userId } = await on.gate.register(anna, anna.context)
    await on.gate.log.erase({ userId }, {}, { actor: { kind: 'admin', id: userId } })
    const event = (await on.events()).find(({ type }) => type === 'log.erased')
    expect(event?.actor).toEqual({ kind: 'admin', id: null })
    expect((await readEverything(on.direct)).split(userId).length - 1).toBe(1)
  })

  test('that was stopped is finished by the next call, or by a server', async () => {
    const on = await openOwnGate(engine)
    const anna = on.person()
    const { userId } = await on.gate.register(anna, anna.context)
    // Step 1 has been taken, and then the process was killed: what it leaves is this row.
    const row = (identifiers: readonly string[]) =>
      sealed({
        id: 'ers_00000000000000000000000000',
        subject_id: userId,
        identifiers: JSON.stringify(identifiers),
        actor_kind: 'system',
        actor_id: 'cli',
        reason: 'requested' as const,
        reference: 'DSR-1',
        counts: JSON.stringify({ ...NOTHING, events: 3 }),
        started_at: on.clock.now(),
        touched_at: on.clock.now(),
      })
    const { kysely } = on.direct
    await kysely
      .insertInto('gatebook_erasure')
      .values(row([anna.identifier]))
      .execute()
    await kysely.updateTable('gatebook_subject').set({ erased_at: on.clock.now() }).where('id', '=', userId).execute()
    await kysely.deleteFrom('gatebook_user').where('id', '=', userId).execute()
    const report = await on.gate.log.erase({ identifier: anna.identifier })
    expect(report.userId).toBe(userId)
    expect(report.events).toBeGreaterThan(3)
    const erased = (await on.events()).filter(({ type }) => type === 'log.erased')
    expect(erased.map(({ data }) => data)).toEqual([
      expect.objectContaining({ events: report.events, reference: 'DSR-1' }),
    ])
    expect(await kysely.selectFrom('gatebook_erasure').selectAll().execute()).toEqual([])
    expect((await readEverything(on.direct)).includes(anna.identifier)).toBe(false)
  })

  test('is finished by a server, which also empties what was still being written', { timeout: 60_000 }, async () => {
    const on = await openOwnGate(engine)
    const { kysely } = on.direct
    const anna = on.person()
    const { userId } = await on.gate.register(anna, anna.context)
    await on.gate.log.erase({ userId })
    // An attempt that began before, and ends after it.
    await on.gate.log.append({ type: 'app.late', userId }, anna.context)
    await kysely
      .insertInto('gatebook_erasure')
      .values(
        sealed({
          id: 'ers_00000000000000000000000000',
          subject_id: null,
          identifiers: JSON.stringify(['someone@example.org']),
          actor_kind: 'system',
          actor_id: 'cli',
          reason: 'requested' as const,
          reference: 'DSR-2',
          counts: JSON.stringify({ ...NOTHING, events: 7 }),
          started_at: on.clock.now() - 120_000,
          touched_at: on.clock.now() - 120_000,
        }),
      )
      .execute()
    const erased = await until(
      'the two that the server finishes',
      async () => {
        const found = (await on.events()).filter(({ type }) => type === 'log.erased')
        return found.length === 3 && found
      },
      40_000,
    )
    expect(erased.map(({ actor, reason, data }) => [actor.id, reason, data.events, data.reference])).toEqual([
      [null, 'requested', 3, undefined],
      ['cli', 'requested', 7, 'DSR-2'],
      ['gatebook', 'under-way', 1, undefined],
    ])
    expect((await readEverything(on.direct)).split(userId).length - 1).toBe(1)
    expect(await kysely.selectFrom('gatebook_erasure').selectAll().execute()).toEqual([])
  })

  test('is refused while a hold stands against it, and nothing has changed', async () => {
    const on = await openOwnGate(engine)
    const { gate } = on
    const anna = on.person()
    const { userId } = await gate.register(anna, anna.context)
    const holds = [
      { userId, reason: 'court' },
      { identifier: anna.identifier.toUpperCase(), reason: 'court' },
      { from: on.clock.now() - 1, to: on.clock.now() + 1, reason: 'incident' },
      { reason: 'everything' },
    ]
    const before = await readEverything(on.direct)
    for (const input of holds) {
      const hold = await gate.log.holds.add(input)
      expect((await gate.log.previewErasure({ userId })).holds).toEqual([hold.id])
      await expect(gate.log.erase({ userId })).rejects.toMatchObject({ code: 'ERR_HELD', members: { hold: hold.id } })
      expect(await codeOf(gate.log.erase({ identifier: anna.identifier }))).toBe('ERR_HELD')
      expect(await gate.users.find(userId)).not.toBeNull()
      await gate.log.holds.release(hold.id)
    }
    expect(before).toContain(userId)
    expect((await gate.log.erase({ userId })).events).toBeGreaterThan(1)
  })
})

async function readRows(on: TestGate, table: string): Promise<Record<string, unknown>[]> {
  return (on.direct.kysely as never as { selectFrom(name: string): { selectAll(): { execute(): Promise<never[]> } } })
    .selectFrom(table)
    .selectAll()
    .execute()
}
