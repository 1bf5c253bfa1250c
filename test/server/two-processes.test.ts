import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { post, startServer, stopServer } from '../cli/transcript.ts'
import { availableEngines } from '../support/engines.ts'

vi.setConfig({ testTimeout: 180_000 })

const PERSON = { identifier: 'anna@example.org', password: 'correct horse battery staple' }
/** What `design.md` states as the bound, and what a busy machine may add to a request. */
const BOUND_MILLISECONDS = 2000

interface Tokens {
  readonly access_token: string
  readonly refresh_token: string
}

async function me(url: string, token: string): Promise<{ status: number; code?: string }> {
  const answer = await fetch(`${url}/auth/me`, { headers: { authorization: `Bearer ${token}` } })
  const { code } = (await answer.json()) as { code?: string }
  return { status: answer.status, ...(code !== undefined && { code }) }
}

describe.each(availableEngines)('two servers on one database of $name', (engine) => {
  test('accept each other’s tokens, and a logout at one is a logout at the other', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatebook-two-'))
    const database = await engine.createDatabase()
    const env = { GATEBOOK_DATABASE: database.url, GATEBOOK_ISSUER: 'https://app.example' }
    // At the same moment, on an empty database: one makes the tables and the key, both go on.
    const [first, second] = await Promise.all([startServer([], { folder, env }), startServer([], { folder, env })])
    onTestFinished(async () => {
      await Promise.all([stopServer(first), stopServer(second)])
      await database.drop()
      rmSync(folder, { recursive: true })
    })
    await post(`${first.url}/auth/register`, PERSON)
    for (let round = 0; round < 3; round++) {
      const tokens = (await (await post(`${first.url}/auth/login`, PERSON)).json()) as Tokens
      expect(await me(second.url, tokens.access_token)).toEqual({ status: 200 })
      const refreshed = await post(`${second.url}/auth/refresh`, { refresh_token: tokens.refresh_token })
      expect(refreshed.status).toBe(200)
      const { access_token: token, refresh_token: latest } = (await refreshed.json()) as Tokens
      expect((await post(`${second.url}/auth/logout`, { refresh_token: latest })).status).toBe(204)
      const since = performance.now()
      expect(await me(second.url, token)).toEqual({ status: 401, code: 'ERR_TOKEN_REVOKED' })
      let asked = since
      let answer = await me(first.url, token)
      while (answer.status === 200 && asked - since < BOUND_MILLISECONDS) {
        await new Promise((resolve) => setTimeout(resolve, 20))
        asked = performance.now()
        answer = await me(first.url, token)
      }
      expect(answer).toEqual({ status: 401, code: 'ERR_TOKEN_REVOKED' })
    }
  })
})
