import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import express from 'express'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { gatebook } from '../../src/adapters/express.ts'
import { GatebookModule } from '../../src/adapters/nest.ts'
import type { Gatebook, NewClient } from '../../src/api.ts'
import { createTestGatebook, type TestGatebook } from '../../src/testing/index.ts'
import type { Application } from './adapters.contract.ts'
import { applicationOn } from './applications.ts'

const FORM = 'application/x-www-form-urlencoded'
const expressFour = createRequire(import.meta.url)('express-4') as typeof express

/** All of them have parsed the form before Gatebook sees the request. */
const APPLICATIONS: Readonly<Record<string, (gate: Gatebook) => Promise<Application>>> = {
  'Express 5': (gate) => listen(express().use(express.urlencoded(), gatebook(gate))),
  'Express 5, extended': (gate) => listen(express().use(express.urlencoded({ extended: true }), gatebook(gate))),
  'Express 4': (gate) => listen(expressFour().use(expressFour.urlencoded({ extended: false }), gatebook(gate))),
  'NestJS 11 with its own parsers': async (gate) => {
    class Root {}
    Module({ imports: [GatebookModule.forRoot(gate)] as never })(Root)
    const app = await NestFactory.create(Root, { logger: false })
    await app.listen(0, '127.0.0.1')
    return applicationOn(app.getHttpServer() as Server, () => app.close())
  },
}

async function listen(app: (request: IncomingMessage, response: ServerResponse) => void): Promise<Application> {
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return applicationOn(server)
}

describe.each(Object.entries(APPLICATIONS))('a form that was parsed by %s', (_name, start) => {
  let kit: TestGatebook
  let client: NewClient
  let application: Application

  beforeAll(async () => {
    kit = await createTestGatebook({ oauthPath: '/oauth' })
    client = await kit.gate.clients.create({ name: 'gateway' })
    application = await start(kit.gate)
    await kit.expectEvents(['client.created'])
  })
  afterAll(async () => {
    await application.close()
    await kit.close()
  })

  const post = (path: string, body: string, type = FORM): Promise<Response> => {
    const authorization = `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}`
    return fetch(application.url + path, {
      method: 'POST',
      headers: { 'Content-Type': type, Authorization: authorization },
      body,
    })
  }

  test('says which token to look at, and which to revoke', async () => {
    const { accessToken, refreshToken, userId } = await kit.signIn()
    const asked = await post('/oauth/introspect', `token=${accessToken}&token_type_hint=a%26token%3Db+%C3%A9`)
    expect([asked.status, await asked.json()]).toEqual([200, expect.objectContaining({ active: true, sub: userId })])
    expect((await post('/oauth/revoke', `token=${refreshToken}`, `${FORM.toUpperCase()}; charset=utf-8`)).status).toBe(
      200,
    )
    const again = await post('/oauth/introspect', `token=${accessToken}`)
    expect([again.status, await again.json()]).toEqual([200, { active: false }])
    await kit.expectEvents(['user.registered', 'login.succeeded', 'session.ended'])
  })

  test('carries the credentials of a client, too', async () => {
    const body = new URLSearchParams({ token: 'x', client_id: client.id, client_secret: client.secret })
    const answer = await fetch(`${application.url}/oauth/introspect`, { method: 'POST', body })
    expect([answer.status, await answer.json()]).toEqual([200, { active: false }])
    await kit.expectEvents([])
  })

  test.each([
    ['a token that is given twice', (token: string) => `token=${token}&token=${token}`],
    ['another member that is given twice', (token: string) => `token=${token}&client_id=a&client_id=b`],
    ['a list of one token', (token: string) => `token[]=${token}`],
    ['a token with a name inside', (token: string) => `token[a]=${token}`],
    ['a form within a member that is given twice', (token: string) => `a=1&a=%26token%3D${token}%26`],
    ['no token', () => 'a=1'],
    ['nothing', () => ''],
  ])('is refused with %s', async (_, bodyWith) => {
    const { accessToken } = await kit.signIn()
    const answer = await post('/oauth/introspect', bodyWith(accessToken))
    expect([answer.status, await answer.json()]).toEqual([400, expect.objectContaining({ error: 'invalid_request' })])
    await kit.expectEvents(['user.registered', 'login.succeeded'])
  })
})
