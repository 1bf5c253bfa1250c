import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { createInstallation, type Installation } from '../cli/installation.ts'
import { availableEngines } from '../support/engines.ts'
import { dialectOf, PASSWORD } from '../support/gate.ts'
import { openReader, type Reader } from './reader.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const BACK = 'https://shop.example/back?tenant=7'
const VERIFIER = randomBytes(32).toString('base64url')
const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url')

describe.each(availableEngines)('the page that hands users over to an application, on $name', (engine) => {
  let at: Installation
  let clientId: string
  let secret: string
  let people = 0
  beforeAll(async () => {
    at = await createInstallation(engine)
    const { stdout } = await at.gatebook(['client', 'add', '<shop>', '--redirect-uri', BACK, '--json'])
    ;({ id: clientId, secret } = JSON.parse(stdout) as { id: string; secret: string })
  })
  afterAll(() => at.remove())

  /** With `undefined` for what is to be missing. */
  function pathOf(change: Record<string, string | undefined> = {}): string {
    const given = {
      ...{ response_type: 'code', client_id: clientId, redirect_uri: BACK, state: 'a state/ü' },
      ...{ code_challenge: CHALLENGE, code_challenge_method: 'S256', ...change },
    }
    const members = Object.entries(given).filter((each): each is [string, string] => each[1] !== undefined)
    return `/oauth/authorize?${new URLSearchParams(members).toString()}`
  }

  async function signUp(reader: Reader): Promise<string> {
    const identifier = `reader-${people++}@example.org`
    expect((await reader.post('/sign-up', { identifier, password: PASSWORD })).to).toBe('/account')
    return identifier
  }

  /** What the browser is sent back with. */
  function answerOf(to: string | null): Record<string, string> {
    expect(to?.startsWith(`${BACK}&`)).toBe(true)
    const { tenant, ...members } = Object.fromEntries(new URL(to!).searchParams)
    expect(tenant).toBe('7')
    return members
  }

  const redeem = (code: string) =>
    fetch(`${at.server.url}/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}` },
      body: new URLSearchParams({
        ...{ grant_type: 'authorization_code', code, redirect_uri: BACK, code_verifier: VERIFIER },
      }),
    })

  test('asks for a log-in, names the application, and comes back with a code', async () => {
    const reader = openReader(at.server.url)
    const identifier = await signUp(openReader(at.server.url))
    const asked = await reader.get(pathOf())
    expect([asked.status, asked.to?.split('?')[0]]).toEqual([303, '/sign-in'])
    const signIn = await reader.get(asked.to!)
    expect(signIn.text).toContain('Log in to go on to &lt;shop&gt;.')
    const to = new URL(asked.to!, at.server.url).searchParams.get('return_to')!
    const form = { identifier, password: PASSWORD, return_to: to }
    const wrong = await reader.post('/sign-in', { ...form, password: 'not the right one' })
    expect([wrong.status, wrong.text.includes('Log in to go on to &lt;shop&gt;.')]).toEqual([401, true])
    const onward = await reader.post('/sign-in', form)
    // The answer to a form leads to this site only (`form-action`), so a page leads on.
    expect([onward.status, onward.headers.get('content-security-policy')]).toEqual([
      200,
      expect.stringContaining("form-action 'self'"),
    ])
    expect(onward.text).toContain(`<meta http-equiv="refresh" content="0;url=${to.replaceAll('&', '&amp;')}">`)
    const back = await reader.get(to)
    const answer = answerOf(back.to)
    const issuer = answer.iss!
    expect(answer).toEqual({ code: expect.stringMatching(/^gba_/), state: 'a state/ü', iss: issuer })
    const metadata = await (await fetch(`${at.server.url}/.well-known/oauth-authorization-server`)).json()
    expect(metadata).toMatchObject({ issuer, authorization_endpoint: `${issuer}/oauth/authorize` })
    const tokens = (await (await redeem(answer.code!)).json()) as { session_id: string; refresh_token: string }
    expect(tokens.session_id).toMatch(/^ses_/)
    const account = await reader.get('/account')
    expect(account.text).toContain('In &lt;shop&gt;')
    expect(account.text).toContain('Went on to &lt;shop&gt;')
    const { stdout } = await at.gatebook(['user', 'show', identifier, '--json'])
    const { id } = JSON.parse(stdout) as { id: string }
    expect(
      (await at.eventsOf('--user', id)).map(({ type, reason }) => [type, reason].filter(Boolean).join(' ')),
    ).toEqual([
      'user.registered',
      'login.succeeded',
      'login.failed wrong-password',
      'login.succeeded',
      'authorization.granted',
      'login.succeeded',
    ])
  })

  test('leads nobody anywhere for an application that is not known, or an address that is not its own', async () => {
    const reader = openReader(at.server.url)
    await signUp(reader)
    const rows: readonly [string, number][] = [
      [pathOf({ client_id: 'cli_x' }), 404],
      [pathOf({ client_id: undefined }), 422],
      [pathOf({ redirect_uri: undefined }), 422],
      [pathOf({ redirect_uri: 'https://evil.example/' }), 422],
      [pathOf({ redirect_uri: `${BACK}&more=1` }), 422],
      [pathOf({ redirect_uri: 'javascript:alert(1)' }), 422],
      [`${pathOf()}&redirect_uri=https%3A%2F%2Fevil.example`, 422],
      [`${pathOf()}&state=x`, 422],
    ]
    for (const who of [reader, openReader(at.server.url)]) {
      for (const [path, status] of rows) {
        const page = await who.get(path)
        expect([path, page.status, page.to]).toEqual([path, status, null])
        expect(page.text).toContain('role="alert"')
        expect(page.text).not.toMatch(/(href|url)="?https:\/\/evil/)
      }
    }
  })

  test('tells the application what is wrong with the rest', async () => {
    const reader = openReader(at.server.url)
    const rows: readonly [Record<string, string | undefined>, string][] = [
      [{ response_type: 'token' }, 'unsupported_response_type'],
      [{ response_type: undefined }, 'invalid_request'],
      [{ code_challenge: undefined }, 'invalid_request'],
      [{ code_challenge_method: undefined }, 'invalid_request'],
      [{ code_challenge_method: 'plain' }, 'invalid_request'],
      [{ code_challenge: VERIFIER.slice(1) }, 'invalid_request'],
      [{ response_mode: 'fragment' }, 'invalid_request'],
      [{ prompt: 'consent' }, 'invalid_request'],
      [{ max_age: '-1' }, 'invalid_request'],
      [{ request: 'e30' }, 'invalid_request'],
      [{ state: 'x'.repeat(2000) }, 'invalid_request'],
      [{ prompt: 'none' }, 'login_required'],
    ]
    for (const [change, error] of rows) {
      const { error: told, error_description: why, iss } = answerOf((await reader.get(pathOf(change))).to)
      expect([told, why !== undefined]).toEqual([told, told === 'invalid_request'])
      expect([JSON.stringify(change).slice(0, 60), told, iss !== undefined]).toEqual([
        JSON.stringify(change).slice(0, 60),
        error,
        true,
      ])
    }
  })

  test('asks for another log-in where the application wants that, and only then', async () => {
    const reader = openReader(at.server.url)
    const identifier = await signUp(reader)
    for (const change of [{}, { prompt: 'none' }, { max_age: '3600' }, { max_age: '0' }]) {
      expect(answerOf((await reader.get(pathOf(change))).to).code, JSON.stringify(change)).toBeDefined()
    }
    const asked = await reader.get(pathOf({ prompt: 'login' }))
    expect((await reader.get(asked.to!)).status).toBe(200)
    const to = new URL(asked.to!, at.server.url).searchParams.get('return_to')!
    expect(new URL(to, at.server.url).searchParams.get('max_age')).toBe('0')
    expect((await reader.post('/sign-in', { identifier, password: PASSWORD, return_to: to })).status).toBe(200)
    expect(answerOf((await reader.get(to)).to).code).toBeDefined()
  })

  test('asks for another log-in where the last one is older than the application allows', async () => {
    const reader = openReader(at.server.url)
    const identifier = await signUp(reader)
    const { stdout } = await at.gatebook(['user', 'show', identifier, '--json'])
    const { kysely, close } = await dialectOf(at.database.url).connect()
    onTestFinished(close)
    const fiveMinutes = 300_000
    await kysely
      .updateTable('gatebook_session')
      .set((eb) => ({ created_at: eb('created_at', '-', fiveMinutes) }))
      .where('subject_id', '=', JSON.parse(stdout).id)
      .execute()
    expect((await reader.refresh()).status).toBe(200)
    expect(answerOf((await reader.get(pathOf({ max_age: '3600' }))).to).code).toBeDefined()
    const refused = await reader.get(pathOf({ max_age: '120', prompt: 'none' }))
    expect(answerOf(refused.to).error).toBe('login_required')
    const asked = await reader.get(pathOf({ max_age: '120' }))
    expect(asked.to).toMatch(/^\/sign-in\?/)
    const to = new URL(asked.to!, at.server.url).searchParams.get('return_to')!
    expect((await reader.post('/sign-in', { identifier, password: PASSWORD, return_to: to })).status).toBe(200)
    expect(answerOf((await reader.get(to)).to).code).toBeDefined()
  })

  test('hands nobody over for a picture or a frame', async () => {
    const reader = openReader(at.server.url)
    await signUp(reader)
    for (const destination of ['image', 'iframe', 'empty']) {
      const page = await reader.get(pathOf(), { 'sec-fetch-dest': destination })
      expect([page.status, page.to]).toEqual([403, null])
    }
    expect((await reader.get(pathOf(), { 'sec-fetch-dest': 'document' })).status).toBe(303)
    expect((await reader.get(pathOf(), { 'sec-purpose': 'prefetch;prerender' })).status).toBe(403)
    const post = await reader.post(pathOf(), {})
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET'])
  })

  test('logs out whoever was logged in in this browser before', async () => {
    const reader = openReader(at.server.url)
    const first = await signUp(reader)
    const second = await signUp(openReader(at.server.url))
    const typesOf = async (identifier: string) => {
      const { stdout } = await at.gatebook(['user', 'show', identifier, '--json'])
      const { id } = JSON.parse(stdout) as { id: string }
      return (await at.eventsOf('--user', id)).map(({ type, reason }) => [type, reason].filter(Boolean).join(' '))
    }
    await reader.post('/sign-in', { identifier: second, password: PASSWORD })
    expect(await typesOf(first)).toEqual(['user.registered', 'login.succeeded', 'session.ended logout'])
    // Who logs in again stays in the applications that were entered before.
    await reader.post('/sign-in', { identifier: second, password: PASSWORD })
    expect((await typesOf(second)).slice(-2)).toEqual(['login.succeeded', 'login.succeeded'])
  })
})
