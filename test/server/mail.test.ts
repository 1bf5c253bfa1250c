import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { parseLines, post, type Running, run, startServer, stopServer } from '../cli/transcript.ts'
import { PASSWORD, until } from '../support/gate.ts'
import { LOG_KEY } from '../support/log-signing.ts'
import { type ReceivedMail, startSmtp } from '../support/smtp.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const NEW_PASSWORD = 'a brand new pass phrase'
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatebook-mail-'))
  // Not in an afterEach, which comes before a server that the test stops when it is finished.
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
})

async function serve(env: Record<string, string>): Promise<Running & { url: string }> {
  const server = await startServer([], { folder, env })
  onTestFinished(() => stopServer(server))
  return server
}

async function startMail(options: Parameters<typeof startSmtp>[0] = {}) {
  const smtp = await startSmtp(options)
  onTestFinished(() => smtp.stop())
  const next = (count: number): Promise<ReceivedMail> =>
    until(`mail ${count}`, async () => smtp.mails[count - 1], 30_000)
  const login = options.user === undefined ? '' : `${options.user.name}:${encodeURIComponent(options.user.password)}@`
  return {
    smtp,
    next,
    env: {
      GATEBOOK_SMTP_URL: `smtp://${login}127.0.0.1:${smtp.port}`,
      GATEBOOK_MAIL_FROM: 'Example <no-reply@example.org>',
      GATEBOOK_APPLICATION_NAME: 'Example & Söhne',
    },
  }
}

describe('a server that sends mail', () => {
  test('resets a password from the link in the mail', async () => {
    const { next, env, smtp } = await startMail({ user: { name: 'mailer', password: 'p@ss:word/1' } })
    const { url } = await serve({ ...env, GATEBOOK_RESET_URL: 'https://app.example/reset' })
    const anna = { identifier: 'Anna@Example.org', password: PASSWORD }
    expect((await post(`${url}/auth/register`, anna)).status).toBe(201)

    const asked = await post(`${url}/auth/password/reset-request`, { identifier: 'anna@example.org' })
    expect([asked.status, await asked.text()]).toEqual([202, ''])
    const unknown = await post(`${url}/auth/password/reset-request`, { identifier: 'nobody@example.org' })
    expect([unknown.status, await unknown.text()]).toEqual([202, ''])

    const mail = await next(1)
    expect([mail.from, mail.to]).toEqual(['no-reply@example.org', ['Anna@example.org']])
    expect(mail.headers).toMatchObject({
      from: 'Example <no-reply@example.org>',
      subject: 'Set a new password for Example & Söhne',
      'auto-submitted': 'auto-generated',
    })
    const token = /^ {4}https:\/\/app\.example\/reset#token=(gbp_[\w-]{43})$/m.exec(mail.text)![1]!
    expect(mail.text).toContain('It works once, for 30 minutes.')

    // A program that follows links changes nothing.
    for (const method of ['GET', 'HEAD', 'PUT']) {
      const looked = await fetch(`${url}/auth/password/reset?token=${token}`, { method })
      expect(looked.status).toBe(405)
    }
    const weak = await post(`${url}/auth/password/reset`, { token, new_password: 'short' })
    expect(await weak.json()).toMatchObject({ status: 422, code: 'ERR_PASSWORD_TOO_SHORT' })
    expect((await post(`${url}/auth/password/reset`, { token, new_password: NEW_PASSWORD })).status).toBe(204)
    const again = await post(`${url}/auth/password/reset`, { token, new_password: NEW_PASSWORD })
    expect(await again.json()).toMatchObject({ status: 403, code: 'ERR_RESET_INVALID' })
    expect((await post(`${url}/auth/login`, { ...anna, password: NEW_PASSWORD })).status).toBe(200)
    expect((await post(`${url}/auth/login`, anna)).status).toBe(401)
    expect(smtp.mails).toHaveLength(1)
  })

  test('writes in the language of the browser', async () => {
    const { next, env } = await startMail()
    const { url } = await serve(env)
    await post(`${url}/auth/register`, { identifier: 'minji@example.org', password: PASSWORD })
    await post(
      `${url}/auth/password/reset-request`,
      { identifier: 'minji@example.org' },
      { 'accept-language': 'ko-KR,ko;q=0.9,en-US;q=0.8' },
    )
    const mail = await next(1)
    expect(mail.headers.subject).toBe('Example & Söhne 비밀번호 재설정')
    expect(mail.text).toContain('30분 동안 한 번만 쓸 수 있습니다.')
    expect(mail.text).toMatch(/^ {4}http:\/\/localhost:\d+\/reset-password#token=gbp_[\w-]{43}$/m)
  })

  test('confirms addresses, and does not tell who has one already', async () => {
    const { next, env } = await startMail()
    const { url } = await serve({
      ...env,
      GATEBOOK_REGISTRATION: 'confirm',
      GATEBOOK_CONFIRMATION_URL: 'https://app.example/welcome',
    })
    const anna = { identifier: 'anna@example.org', password: PASSWORD }
    const first = await post(`${url}/auth/register`, anna)
    const mail = await next(1)
    const token = /https:\/\/app\.example\/welcome#token=(\S+)/.exec(mail.text)![1]!
    const made = await post(`${url}/auth/register/confirm`, { token, password: PASSWORD })
    expect(made.status).toBe(201)
    expect(await made.json()).toMatchObject({ user_id: expect.stringMatching(/^usr_/), token_type: 'Bearer' })

    const second = await post(`${url}/auth/register`, { ...anna, password: NEW_PASSWORD })
    expect([second.status, await second.text()]).toEqual([first.status, await first.text()])
    expect([second.status, names(second)]).toEqual([202, names(first)])
    expect((await next(2)).headers.subject).toBe('You already have an account at Example & Söhne')
    const strange = await post(`${url}/auth/register`, { identifier: 'anna', password: PASSWORD })
    expect(await strange.json()).toMatchObject({ status: 422, code: 'ERR_IDENTIFIER_NOT_EMAIL' })
  })

  test('tries again when the mail server cannot, and tells the operator, but not to whom', async () => {
    const refusals = [{ code: 451, message: '4.3.0 try later, anna@example.org' }]
    const { next, env, smtp } = await startMail({ refusals })
    const server = await serve(env)
    await post(`${server.url}/auth/register`, { identifier: 'anna@example.org', password: PASSWORD })
    await post(`${server.url}/auth/password/reset-request`, { identifier: 'anna@example.org' })
    const mail = await next(1)
    expect(smtp.attempts()).toBe(2)
    const told = parseLines(server.stderr()).filter(({ level }) => level === 'error')
    expect(told).toMatchObject([{ mail: 'reset', try: 1, message: 'A mail could not be sent; it is tried again.' }])
    const token = /gbp_([\w-]{43})/.exec(mail.text)![1]!
    expect(server.stderr()).not.toContain(token)
    expect(server.stderr()).not.toContain('anna')
  })

  test('sends what waits before it ends', async () => {
    const { env, smtp } = await startMail()
    const server = await startServer([], { folder, env })
    await post(`${server.url}/auth/register`, { identifier: 'anna@example.org', password: PASSWORD })
    await post(`${server.url}/auth/password/reset-request`, { identifier: 'anna@example.org' })
    await stopServer(server)
    expect(smtp.mails).toHaveLength(1)
  })

  test('invites, and takes nobody else', async () => {
    const { next, env } = await startMail()
    const all = { ...env, GATEBOOK_REGISTRATION: 'invite', GATEBOOK_INVITATION_URL: 'https://app.example/join' }
    const { url } = await serve(all)
    const added = await run(['invitation', 'add', 'anna@example.org', '--role', 'editor', '--send', '--json'], {
      folder,
      env: all,
    })
    expect([added.status, added.stderr]).toEqual([0, ''])
    const { token, link, id } = JSON.parse(added.stdout)
    expect(link).toBe(`https://app.example/join#token=${token}`)
    expect((await next(1)).text).toContain(link)
    const uninvited = await post(`${url}/auth/register`, { identifier: 'bert@example.org', password: PASSWORD })
    expect(await uninvited.json()).toMatchObject({ status: 403, code: 'ERR_INVITATION_REQUIRED' })
    const anna = { identifier: 'anna@example.org', password: PASSWORD, invitation: token }
    expect((await post(`${url}/auth/register`, anna)).status).toBe(201)
    const again = await post(`${url}/auth/register`, { ...anna, identifier: 'bert@example.org' })
    expect(await again.json()).toMatchObject({ status: 403, code: 'ERR_INVITATION_INVALID' })

    const listed = await run(['invitation', 'list'], { folder })
    expect(listed.stdout).toMatch(new RegExp(`${id} +anna@example.org +editor +used`))
    const revoked = await run(['invitation', 'revoke', id], { folder })
    expect(revoked).toMatchObject({ status: 0, stdout: 'The invitation was of no use any more.\n' })
    expect((await run(['invitation', 'revoke', 'inv_x'], { folder })).status).toBe(1)
  })
})

describe('a server without a mail server', () => {
  test('prints mail, so that the first steps need none', async () => {
    const server = await serve({})
    expect(server.stdout()).toContain('mail          printed here')
    await post(`${server.url}/auth/register`, { identifier: 'anna@example.org', password: PASSWORD })
    await post(`${server.url}/auth/password/reset-request`, { identifier: 'anna@example.org' })
    const [, token] = await server.saw('stderr', /(gbp_[\w-]{43})/)
    const line = parseLines(server.stderr()).find(({ subject }) => subject !== undefined)
    expect(line).toMatchObject({ to: 'anna@example.org', subject: expect.stringMatching(/^Set a new password for /) })
    expect((await post(`${server.url}/auth/password/reset`, { token, new_password: NEW_PASSWORD })).status).toBe(204)
  })

  test('lets an operator hand a token over', async () => {
    const { url } = await serve({})
    await post(`${url}/auth/register`, { identifier: 'anna', password: PASSWORD })
    const made = await run(['user', 'reset', 'anna'], { folder })
    const token = /^token +(gbp_\S+)$/m.exec(made.stdout)![1]!
    expect((await post(`${url}/auth/password/reset`, { token, new_password: NEW_PASSWORD })).status).toBe(204)
    expect((await run(['user', 'reset', 'nobody'], { folder })).status).toBe(1)
    const sent = await run(['invitation', 'add', 'anna@example.org', '--send'], { folder })
    expect(sent).toMatchObject({ status: 1, stdout: '' })
    expect(sent.stderr).toContain('GATEBOOK_SMTP_URL')
  })

  test('has no such route in production', async () => {
    const env = {
      NODE_ENV: 'production',
      GATEBOOK_ISSUER: 'https://app.example',
      GATEBOOK_SECRET: 'Zk3Jq0vY8zW2nT6rB5xM1cF9hL4pS7dGa',
      GATEBOOK_LOG_KEY: LOG_KEY,
    }
    const server = await serve(env)
    expect(server.stdout()).toContain('mail          off: nobody can ask for a new password')
    const asked = await post(`${server.url}/auth/password/reset-request`, { identifier: 'anna' })
    expect(await asked.json()).toMatchObject({ status: 404, code: 'ERR_NOT_FOUND' })
  })
})

describe('settings of mail', () => {
  test.each([
    ['GATEBOOK_MAILER', { GATEBOOK_MAILER: 'console', NODE_ENV: 'production', GATEBOOK_ISSUER: 'https://app.example' }],
    ['GATEBOOK_SMTP_URL', { GATEBOOK_MAILER: 'smtp' }],
    ['GATEBOOK_MAIL_FROM', { GATEBOOK_SMTP_URL: 'smtp://127.0.0.1:25' }],
    [
      'GATEBOOK_MAIL_FROM',
      { GATEBOOK_SMTP_URL: 'smtp://127.0.0.1:25', GATEBOOK_MAIL_FROM: 'a@example.org, b@example.org' },
    ],
    ['GATEBOOK_SMTP_URL', { GATEBOOK_SMTP_URL: 'http://u:CANARY@mail.example', GATEBOOK_MAIL_FROM: 'a@example.org' }],
    [
      'GATEBOOK_SMTP_URL',
      { GATEBOOK_SMTP_URL: 'smtp://u:CANARY@mail.example?x=1', GATEBOOK_MAIL_FROM: 'a@example.org' },
    ],
    ['GATEBOOK_REGISTRATION', { GATEBOOK_REGISTRATION: 'confirm', GATEBOOK_MAILER: 'off' }],
    ['GATEBOOK_RESET_URL', { GATEBOOK_RESET_URL: 'https://app.example/reset?x=1' }],
    ['GATEBOOK_MAIL_LANGUAGE', { GATEBOOK_MAIL_LANGUAGE: 'fr' }],
  ])('%s is refused at the start: %j', async (name, env) => {
    const { status, stderr } = await run(['serve', '--port', '0'], { folder, env })
    expect([status, stderr]).toEqual([3, expect.stringContaining(name)])
    expect(stderr).not.toContain('CANARY')
  })
})

/** What a client can see of an answer, but for what every answer has of its own. */
function names(response: Response): string[] {
  return [...response.headers.keys()].filter((name) => !['date', 'x-request-id'].includes(name)).sort()
}
