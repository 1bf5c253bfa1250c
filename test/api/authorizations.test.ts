import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client, CodeRedemption, NewClient, SessionTokens } from '../../src/api.ts'
import { availableEngines } from '../support/engines.ts'
import { codeOf, type ExpectedEvent, openGate, type Person, scenario, type TestGate, until } from '../support/gate.ts'

const BACK = 'https://shop.example/signed-in'
/** The application's own server, which redeems. */
const SHOP = { ip: '198.51.100.20', ipSource: 'socket' } as const
const FROM_SHOP = '198.51.100.20 socket'

const challengeOf = (verifier: string) => createHash('sha256').update(verifier).digest('base64url')

describe.each(availableEngines)('a user is handed over to an application, on $name', (engine) => {
  let on: TestGate
  let shop: NewClient
  let phone: Client
  beforeAll(async () => {
    on = await openGate(engine)
    shop = await on.gate.clients.create({ name: 'shop', redirectUris: [BACK, 'https://shop.example/other'] })
    phone = await on.gate.clients.createPublic({ name: 'phone', redirectUris: ['http://127.0.0.1/back'] })
  })
  afterAll(() => on.close())

  interface Begun {
    readonly anna: Person
    readonly parent: SessionTokens
    readonly redemption: CodeRedemption
  }

  async function begin(): Promise<Begun> {
    const anna = on.person()
    const parent = await on.gate.register(anna, { ...anna.context, userAgent: 'a browser' })
    const verifier = randomBytes(32).toString('base64url')
    const request = {
      sessionId: parent.sessionId,
      clientId: shop.id,
      redirectUri: BACK,
      codeChallenge: challengeOf(verifier),
    }
    const { code } = await on.gate.authorizations.issue(request, { ...anna.context, userAgent: 'a browser' })
    return {
      anna,
      parent,
      redemption: {
        ...{ code, clientId: shop.id, clientSecret: shop.secret, redirectUri: BACK, codeVerifier: verifier },
      },
    }
  }

  const ended = (tokens: SessionTokens, reason: string, more: Partial<ExpectedEvent>): ExpectedEvent => ({
    event: `session.ended success ${reason}`,
    actor: 'self',
    subject: tokens.userId,
    session: tokens.sessionId,
    ...more,
  })

  const refused = (reason: string, subject: string | undefined, client: string | null = shop.id): ExpectedEvent => ({
    event: `authorization.refused denied ${reason}`,
    actor: 'anonymous',
    from: FROM_SHOP,
    ...(subject !== undefined && { subject }),
    ...(client !== null && { data: { client } }),
  })

  test('and has a session there that names both, with the address of the browser and the time of the log-in', async () => {
    const { expectEvents } = await scenario(on)
    const { anna, parent, redemption } = await begin()
    const { userId } = parent
    await expectEvents([
      { event: 'user.registered success', actor: 'self', subject: userId, identifier: 'clear', from: anna.from },
      {
        ...{ event: 'login.succeeded success', actor: 'self', subject: userId, session: parent.sessionId },
        ...{ identifier: 'clear', from: anna.from, data: { known_device: false } },
      },
      {
        ...{ event: 'authorization.granted success', actor: 'self', subject: userId, session: parent.sessionId },
        ...{ from: anna.from, data: { client: shop.id } },
      },
    ])
    on.clock.advance(30_000)
    const tokens = await on.gate.authorizations.redeem(redemption, SHOP)
    await expectEvents([
      {
        ...{ event: 'login.succeeded success', actor: 'self', subject: userId, session: tokens.sessionId },
        ...{ from: anna.from, data: { client: shop.id, parent: parent.sessionId } },
      },
    ])
    const before = await on.gate.tokens.verify(parent.accessToken)
    const claims = await on.gate.tokens.verify(tokens.accessToken)
    expect(claims).toMatchObject({ userId, sessionId: tokens.sessionId, clientId: shop.id })
    expect(claims.authenticatedAt).toBe(before.authenticatedAt)
    expect(claims.issuedAt).toBe(before.issuedAt + 30_000)
    expect(tokens.deviceToken).toBe('')
    expect(await on.gate.sessions.find(tokens.sessionId)).toMatchObject({
      ...{ clientId: shop.id, parentId: parent.sessionId, ip: anna.context.ip, userAgent: 'a browser' },
    })
    expect(await on.gate.sessions.find(parent.sessionId)).toMatchObject({ clientId: null, parentId: null })
    // The next tokens know it, too.
    const next = await on.gate.authorizations.refresh(
      { refreshToken: tokens.refreshToken, clientId: shop.id, clientSecret: shop.secret },
      SHOP,
    )
    expect((await on.gate.tokens.verify(next.accessToken)).authenticatedAt).toBe(before.authenticatedAt)
    await expectEvents([
      {
        ...{ event: 'session.refreshed success', actor: 'self', subject: userId, session: tokens.sessionId },
        ...{ from: FROM_SHOP, data: { counter: 1 } },
      },
    ])
  })

  test('only for what the code was given out for, and no try costs the code', async () => {
    const { anna, parent, redemption } = await begin()
    const other = await on.gate.clients.create({ name: 'other', redirectUris: [BACK] })
    const { expectEvents } = await scenario(on)
    const wrong: readonly [string, Partial<CodeRedemption>][] = [
      ['wrong-verifier', { codeVerifier: 'x'.repeat(43) }],
      ['wrong-verifier', { codeVerifier: '' }],
      ['wrong-verifier', { codeVerifier: challengeOf(redemption.codeVerifier) }],
      ['wrong-redirect', { redirectUri: 'https://shop.example/other' }],
      ['wrong-client', { clientId: other.id, clientSecret: other.secret }],
    ]
    for (const [reason, change] of wrong) {
      const answer = on.gate.authorizations.redeem({ ...redemption, ...change }, SHOP)
      expect([reason, await codeOf(answer)]).toEqual([reason, 'ERR_CODE_INVALID'])
      await expectEvents([refused(reason, parent.userId, change.clientId ?? shop.id)])
    }
    const code = `gba_${'A'.repeat(43)}`
    for (const unknown of [code, '', 'x', redemption.code.toUpperCase()]) {
      expect(await codeOf(on.gate.authorizations.redeem({ ...redemption, code: unknown }, SHOP))).toBe(
        'ERR_CODE_INVALID',
      )
      await expectEvents([refused('unknown-code', undefined)])
    }
    for (const secret of [undefined, 'wrong', '']) {
      const { clientSecret: _, ...rest } = redemption
      const shown = secret === undefined ? rest : { ...rest, clientSecret: secret }
      expect(await codeOf(on.gate.authorizations.redeem(shown, SHOP))).toBe('ERR_CLIENT_INVALID')
      await expectEvents([
        {
          ...{ event: 'client.refused denied wrong-secret', actor: 'anonymous' },
          ...{ from: FROM_SHOP, data: { client: shop.id } },
        },
      ])
    }
    const started = await on.gate.authorizations.redeem(redemption, SHOP)
    await expectEvents([
      {
        ...{ event: 'login.succeeded success', actor: 'self', subject: parent.userId, session: started.sessionId },
        ...{ from: anna.from, data: { client: shop.id, parent: parent.sessionId } },
      },
    ])
  })

  test('once, also when fifty redeem at once, and whoever does so again ends that session', async () => {
    const { parent, redemption } = await begin()
    const answers = await Promise.allSettled(
      Array.from({ length: 50 }, () => on.gate.authorizations.redeem(redemption, SHOP)),
    )
    const [started, ...more] = answers.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    expect(more).toEqual([])
    expect(await codeOf(on.gate.tokens.verify(started!.accessToken))).toBe('ERR_TOKEN_REVOKED')
    expect(await on.gate.sessions.find(started!.sessionId)).toMatchObject({ endReason: 'code-reused' })
    const events = (await on.gate.log.search({ user: parent.userId }, { limit: 100 })).items
    expect(events.filter(({ type }) => type === 'session.ended')).toHaveLength(1)
    expect(events.filter(({ reason }) => reason === 'used-code').length).toBe(49)
    // The log-in itself has done nothing wrong.
    expect((await on.gate.tokens.verify(parent.accessToken)).sessionId).toBe(parent.sessionId)
  })

  test('within a minute', async () => {
    const { parent, redemption } = await begin()
    on.clock.advance(60_001)
    const { expectEvents } = await scenario(on)
    expect(await codeOf(on.gate.authorizations.redeem(redemption, SHOP))).toBe('ERR_CODE_INVALID')
    await expectEvents([refused('expired-code', parent.userId)])
  })

  test('not when the log-in is over by then', async () => {
    const { parent, redemption } = await begin()
    await on.gate.logout({ accessToken: parent.accessToken })
    const { expectEvents } = await scenario(on)
    expect(await codeOf(on.gate.authorizations.redeem(redemption, SHOP))).toBe('ERR_CODE_INVALID')
    await expectEvents([refused('session-ended', parent.userId)])
  })

  test('to none that is not known, at no address that it was not added with, and by no session of an application', async () => {
    const { parent, redemption } = await begin()
    const child = await on.gate.authorizations.redeem(redemption, SHOP)
    const gone = await on.gate.clients.create({ name: 'gone', redirectUris: [BACK] })
    await on.gate.clients.revoke(gone.id)
    const { expectEvents } = await scenario(on)
    const request = { sessionId: parent.sessionId, clientId: shop.id, redirectUri: BACK, codeChallenge: 'A'.repeat(43) }
    const rows: readonly [Partial<typeof request>, string, ExpectedEvent | null][] = [
      [{ clientId: gone.id }, 'ERR_CLIENT_NOT_FOUND', refused('revoked-client', undefined, gone.id)],
      [{ clientId: 'x' }, 'ERR_CLIENT_NOT_FOUND', refused('unknown-client', undefined, null)],
      [{ redirectUri: `${BACK}/` }, 'ERR_REDIRECT_URI_NOT_ALLOWED', refused('redirect-not-allowed', undefined)],
      [
        { redirectUri: 'https://evil.example/' },
        'ERR_REDIRECT_URI_NOT_ALLOWED',
        refused('redirect-not-allowed', undefined),
      ],
      [{ codeChallenge: 'short' }, 'ERR_CODE_CHALLENGE_INVALID', null],
      [{ sessionId: child.sessionId }, 'ERR_SESSION_NOT_FOUND', null],
      [{ sessionId: 'ses_x' }, 'ERR_SESSION_NOT_FOUND', null],
    ]
    for (const [change, code, event] of rows) {
      expect(await codeOf(on.gate.authorizations.issue({ ...request, ...change }, SHOP))).toBe(code)
      await expectEvents(event === null ? [] : [event])
    }
  })

  test('and is logged out there with the log-in', async () => {
    const { anna, parent, redemption } = await begin()
    const child = await on.gate.authorizations.redeem(redemption, SHOP)
    const { expectEvents } = await scenario(on)
    await on.gate.logout({ accessToken: parent.accessToken }, anna.context)
    await expectEvents([ended(parent, 'logout', { from: anna.from }), ended(child, 'logout', { from: anna.from })])
    expect(await codeOf(on.gate.tokens.verify(child.accessToken))).toBe('ERR_TOKEN_REVOKED')
  })

  test('and the log-in stays when the application logs out', async () => {
    const { parent, redemption } = await begin()
    const child = await on.gate.authorizations.redeem(redemption, SHOP)
    const { expectEvents } = await scenario(on)
    await on.gate.logout({ accessToken: child.accessToken }, SHOP)
    await expectEvents([ended(child, 'logout', { from: FROM_SHOP })])
    expect((await on.gate.tokens.verify(parent.accessToken)).userId).toBe(parent.userId)
  })

  test('and keeps the session there when only the time of the log-in is over', async () => {
    const { parent, redemption } = await begin()
    const child = await on.gate.authorizations.redeem(redemption, SHOP)
    on.clock.advance(13 * 86_400_000)
    const client = { clientId: shop.id, clientSecret: shop.secret }
    const next = await on.gate.authorizations.refresh({ ...client, refreshToken: child.refreshToken })
    on.clock.advance(2 * 86_400_000)
    expect(await codeOf(on.gate.refresh(parent.refreshToken))).toBe('ERR_REFRESH_EXPIRED')
    expect((await on.gate.authorizations.refresh({ ...client, refreshToken: next.refreshToken })).sessionId).toBe(
      child.sessionId,
    )
  })

  test('and whoever disowns what was done there ends the log-in behind it and all that came of it', async () => {
    const { anna, parent, redemption } = await begin()
    const child = await on.gate.authorizations.redeem(redemption, SHOP)
    const verifier = randomBytes(32).toString('base64url')
    const { code } = await on.gate.authorizations.issue({
      ...{ sessionId: parent.sessionId, clientId: phone.id, redirectUri: 'http://127.0.0.1:5123/back' },
      codeChallenge: challengeOf(verifier),
    })
    const other = await on.gate.authorizations.redeem({
      ...{ code, clientId: phone.id, redirectUri: 'http://127.0.0.1:5123/back', codeVerifier: verifier },
    })
    const own = await on.gate.login(anna, anna.context)
    const { items } = await on.gate.log.search({ session: child.sessionId, type: 'login.succeeded' })
    const { expectEvents } = await scenario(on)
    const disowned = await on.gate.sessions.disown({ userId: own.userId, eventId: items[0]!.id }, anna.context)
    expect(disowned).toEqual({ sessionId: child.sessionId, wasLive: true })
    await expectEvents([
      // The log-in before what came of it.
      ...[parent, ...[child, other].sort((a, b) => (a.sessionId < b.sessionId ? -1 : 1))].map((each) =>
        ended(each, 'disowned', { from: anna.from }),
      ),
      {
        ...{ event: 'session.disowned success', actor: 'self', subject: own.userId, session: child.sessionId },
        ...{ from: anna.from, data: { event: items[0]!.id, was_live: true, device_forgotten: true } },
      },
    ])
    expect((await on.gate.sessions.list(own.userId)).map(({ id }) => id)).toEqual([own.sessionId])
  })

  /** Once more in the application, by the same log-in. */
  async function enter(parent: SessionTokens): Promise<SessionTokens> {
    const verifier = randomBytes(32).toString('base64url')
    const { code } = await on.gate.authorizations.issue({
      ...{ sessionId: parent.sessionId, clientId: shop.id, redirectUri: BACK, codeChallenge: challengeOf(verifier) },
    })
    return on.gate.authorizations.redeem({
      ...{ code, clientId: shop.id, clientSecret: shop.secret, redirectUri: BACK, codeVerifier: verifier },
    })
  }

  test('and has one session in an application by one log-in, however often it is entered', async () => {
    const { parent, redemption } = await begin()
    const first = await on.gate.authorizations.redeem(redemption, SHOP)
    let last = first
    for (let times = 0; times < 60; times++) last = await enter(parent)
    expect((await on.gate.sessions.list(parent.userId)).map(({ id }) => id).sort()).toEqual(
      [parent.sessionId, last.sessionId].sort(),
    )
    expect(await on.gate.sessions.find(first.sessionId)).toMatchObject({ endReason: 'replaced' })
  })

  test('and a log-in that is one too many takes its applications along', async () => {
    const few = await on.another({ sessionsPerUser: 2 })
    const { anna, parent, redemption } = await begin()
    const child = await few.authorizations.redeem(redemption, SHOP)
    // The oldest is told by its id, which has the time in it.
    on.clock.advance(1)
    const second = await few.login(anna, anna.context)
    await few.tokens.verify(child.accessToken)
    on.clock.advance(1)
    const third = await few.login(anna, anna.context)
    expect((await few.sessions.list(parent.userId)).map(({ id }) => id).sort()).toEqual(
      [second.sessionId, third.sessionId].sort(),
    )
    expect(await few.sessions.find(child.sessionId)).toMatchObject({ endReason: 'session-limit' })
  })

  test('and is logged out there, too, when the time of the log-in was over before', async () => {
    const { anna, parent, redemption } = await begin()
    const child = await on.gate.authorizations.redeem(redemption, SHOP)
    on.clock.advance(13 * 86_400_000)
    await on.gate.authorizations.refresh({
      ...{ refreshToken: child.refreshToken, clientId: shop.id, clientSecret: shop.secret },
    })
    on.clock.advance(2 * 86_400_000)
    expect(await codeOf(on.gate.refresh(parent.refreshToken))).toBe('ERR_REFRESH_EXPIRED')
    const { expectEvents } = await scenario(on)
    await on.gate.logout({ refreshToken: parent.refreshToken }, anna.context)
    await on.gate.logout({ refreshToken: parent.refreshToken }, anna.context)
    await expectEvents([ended(child, 'logout', { from: anna.from })])
  })

  test('and the application can neither end other sessions nor guess at the password', async () => {
    const { anna, parent, redemption } = await begin()
    const child = await on.gate.authorizations.redeem(redemption, SHOP)
    const claims = await on.gate.tokens.verify(child.accessToken)
    const { expectEvents } = await scenario(on)
    const change = { claims, currentPassword: anna.password, newPassword: 'five brown herons dance' }
    expect(await codeOf(on.gate.changePassword(change, SHOP))).toBe('ERR_FORBIDDEN')
    for (const scope of ['others', 'all'] as const) {
      expect(await codeOf(on.gate.logout({ refreshToken: child.refreshToken, scope }, SHOP))).toBe('ERR_FORBIDDEN')
      expect(await codeOf(on.gate.logout({ accessToken: child.accessToken, scope }, SHOP))).toBe('ERR_FORBIDDEN')
    }
    await expectEvents([])
    await on.gate.tokens.verify(parent.accessToken)
  })

  test('and revokes its own tokens and no others, also without a secret', async () => {
    const { parent, redemption } = await begin()
    const child = await on.gate.authorizations.redeem(redemption, SHOP)
    const { expectEvents } = await scenario(on)
    const asShop = { clientId: shop.id, clientSecret: shop.secret }
    const asPhone = { clientId: phone.id }
    expect(await on.gate.authorizations.revoke({ ...asShop, token: parent.refreshToken }, SHOP)).toBe(false)
    expect(await on.gate.authorizations.revoke({ ...asPhone, token: child.refreshToken }, SHOP)).toBe(false)
    expect(await codeOf(on.gate.authorizations.revoke({ clientId: shop.id, token: child.refreshToken }, SHOP))).toBe(
      'ERR_CLIENT_INVALID',
    )
    expect(await on.gate.authorizations.revoke({ ...asShop, token: child.refreshToken }, SHOP)).toBe(true)
    await expectEvents([
      { event: 'client.refused denied wrong-secret', actor: 'anonymous', from: FROM_SHOP, data: { client: shop.id } },
      ended(child, 'ended-by-application', { actor: `application ${shop.id}`, from: FROM_SHOP }),
    ])
  })

  test('until the application is revoked, which ends all of its sessions', async () => {
    const gone = await on.gate.clients.create({ name: 'gone', redirectUris: [BACK] })
    const anna = on.person()
    const parent = await on.gate.register(anna, anna.context)
    const verifier = randomBytes(32).toString('base64url')
    const { code } = await on.gate.authorizations.issue({
      ...{ sessionId: parent.sessionId, clientId: gone.id, redirectUri: BACK, codeChallenge: challengeOf(verifier) },
    })
    const child = await on.gate.authorizations.redeem({
      ...{ code, clientId: gone.id, clientSecret: gone.secret, redirectUri: BACK, codeVerifier: verifier },
    })
    const { expectEvents } = await scenario(on)
    for (const was of [true, false]) expect(await on.gate.clients.revoke(gone.id)).toBe(was)
    await expectEvents([
      { event: 'client.revoked success', actor: 'application', data: { client: gone.id } },
      ended(child, 'client-revoked', { actor: 'application' }),
    ])
    expect(await codeOf(on.gate.tokens.verify(child.accessToken))).toBe('ERR_TOKEN_REVOKED')
    await on.gate.tokens.verify(parent.accessToken)
  })

  test('with nothing of the application in the place of a browser that has shown nothing', async () => {
    const { parent } = await begin()
    const verifier = randomBytes(32).toString('base64url')
    const { code } = await on.gate.authorizations.issue({
      ...{ sessionId: parent.sessionId, clientId: shop.id, redirectUri: BACK, codeChallenge: challengeOf(verifier) },
    })
    const child = await on.gate.authorizations.redeem(
      { ...{ code, clientId: shop.id, clientSecret: shop.secret, redirectUri: BACK, codeVerifier: verifier } },
      { ...SHOP, userAgent: 'node-shop' },
    )
    expect(await on.gate.sessions.find(child.sessionId)).toMatchObject({ ip: null, userAgent: null })
  })

  test('and codes are forgotten an hour after their time', async () => {
    await begin()
    const codes = async () =>
      (
        await on.direct.kysely
          .selectFrom('gatebook_one_time_token')
          .select('id')
          .where('purpose', '=', 'code')
          .where('expires_at', '<', on.clock.now() - 3_600_000)
          .execute()
      ).length
    on.clock.advance(3_700_000)
    expect(await codes()).toBeGreaterThan(0)
    await until('they are gone', async () => (await codes()) === 0, 30_000)
  })

  test('with a refresh token that nobody else can use', async () => {
    const { parent, redemption } = await begin()
    const child = await on.gate.authorizations.redeem(redemption, SHOP)
    const other = await on.gate.clients.create({ name: 'other' })
    const { expectEvents } = await scenario(on)
    const { refreshToken } = child
    const wrong: ExpectedEvent = {
      ...{ event: 'session.refresh-refused denied wrong-client', actor: 'anonymous', from: FROM_SHOP },
      ...{ subject: parent.userId, session: child.sessionId, data: { counter: 0 } },
    }
    expect(await codeOf(on.gate.refresh(refreshToken, SHOP))).toBe('ERR_REFRESH_INVALID')
    const asOther = { refreshToken, clientId: other.id, clientSecret: other.secret }
    expect(await codeOf(on.gate.authorizations.refresh(asOther, SHOP))).toBe('ERR_REFRESH_INVALID')
    const asShop = { refreshToken: parent.refreshToken, clientId: shop.id, clientSecret: shop.secret }
    expect(await codeOf(on.gate.authorizations.refresh(asShop, SHOP))).toBe('ERR_REFRESH_INVALID')
    await expectEvents([wrong, wrong, { ...wrong, session: parent.sessionId }])
  })

  test('with no more rights than the log-in has', async () => {
    const tokens = await on.gate.sessions.start('4711', { roles: ['clerk'], claims: { till: 3 } })
    const verifier = randomBytes(32).toString('base64url')
    const { code } = await on.gate.authorizations.issue({
      ...{ sessionId: tokens.sessionId, clientId: shop.id, redirectUri: BACK, codeChallenge: challengeOf(verifier) },
    })
    const child = await on.gate.authorizations.redeem({
      ...{ code, clientId: shop.id, clientSecret: shop.secret, redirectUri: BACK, codeVerifier: verifier },
    })
    expect(await on.gate.tokens.verify(child.accessToken)).toMatchObject({ roles: ['clerk'], claims: { till: 3 } })
  })

  test('and what SQL has put there hands nobody over', async () => {
    const { parent, redemption } = await begin()
    const { kysely } = on.direct
    const row = await kysely
      .selectFrom('gatebook_one_time_token')
      .selectAll()
      .where('subject_id', '=', parent.userId)
      .executeTakeFirstOrThrow()
    const binding = row.binding!.replace(BACK, 'https://evil.example/')
    await kysely.updateTable('gatebook_one_time_token').set({ binding }).where('id', '=', row.id).execute()
    const { expectEvents } = await scenario(on)
    expect(
      await codeOf(on.gate.authorizations.redeem({ ...redemption, redirectUri: 'https://evil.example/' }, SHOP)),
    ).toBe('ERR_CODE_INVALID')
    await expectEvents([refused('unknown-code', undefined)])
    const stored = JSON.stringify(await kysely.selectFrom('gatebook_one_time_token').selectAll().execute())
    expect(stored).not.toContain(redemption.code)
  })
})
