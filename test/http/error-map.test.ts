import { describe, expect, test } from 'vitest'
import { GatebookError } from '../../src/errors.ts'
import { describeFailure, toProblem } from '../../src/http/error-map.ts'
import { toFetchResponse } from '../../src/http/exchange.ts'
import { createHttpHandler } from '../../src/http/handler.ts'
import { type Diagnostics, resolveOptions } from '../../src/options.ts'
import { systemClock } from '../../src/util/clock.ts'
import { call, openGate } from './caller.ts'

const WORD = 'correct-horse-battery-staple'
const CONTEXT = { requestId: 'req_1', authorized: false }

describe('a problem', () => {
  test('says when to come back', () => {
    const thrown = new GatebookError('ERR_THROTTLED', { retryAfterSeconds: 1.2, detail: WORD })
    const problem = toProblem(thrown, CONTEXT)
    expect(problem.headers?.['Retry-After']).toBe('2')
    expect(problem.body).toMatchObject({ status: 429, retry_after: 2 })
    expect(JSON.stringify(problem)).not.toContain(WORD)
  })

  test('cannot be given another meaning by the members of an error', () => {
    const thrown = new GatebookError('ERR_BODY_INVALID', {
      members: { code: 'ERR_X', status: 200, detail: WORD, minimum: 3 },
    })
    expect(toProblem(thrown, CONTEXT).body).toMatchObject({ code: 'ERR_BODY_INVALID', status: 422, minimum: 3 })
    expect(JSON.stringify(toProblem(thrown, CONTEXT))).not.toContain(WORD)
  })

  test.each([
    ['an error of somebody else', new Error(WORD)],
    ['an error of the operator', new GatebookError('ERR_DATABASE', { detail: WORD, members: { url: WORD } })],
    ['no error', WORD],
    ['nothing', undefined],
  ])('for %s is ERR_INTERNAL and no more', (_, thrown) => {
    const problem = toProblem(thrown, CONTEXT)
    expect(problem.body).toMatchObject({ status: 500, code: 'ERR_INTERNAL' })
    expect(JSON.stringify(problem)).not.toContain(WORD)
  })
})

describe('diagnostics of a failure', () => {
  test('have names, codes and places, and no message', () => {
    const driver = Object.assign(new Error(`Duplicate entry '${WORD}'\nfor key`), { code: 'ER_DUP_ENTRY', sql: WORD })
    const told = describeFailure(new GatebookError('ERR_DATABASE', { detail: 'While inserting.', cause: driver }))
    expect(told).toMatchObject({
      error: 'GatebookError',
      code: 'ERR_DATABASE',
      detail: 'While inserting.',
      cause: { error: 'Error', code: 'ER_DUP_ENTRY' },
    })
    expect((told.stack as string[])[0]).toMatch(/^at .*error-map\.test\.ts/)
    expect(JSON.stringify(told)).not.toContain(WORD)
    expect(describeFailure(WORD)).toEqual({ error: 'string' })
  })

  test('are one line for a request that broke, with its id and nothing of its content', async () => {
    const lines: object[] = []
    const keep = (fields: object, message: string) => lines.push({ ...fields, message })
    const diagnostics: Diagnostics = { debug() {}, info() {}, warn: keep, error: keep }
    const gate = await openGate()
    const settings = resolveOptions({ issuer: gate.issuer, database: null as never, diagnostics }, systemClock, 1)
    const authenticator = {
      authenticate: () => Promise.reject(WORD),
      authenticateOwn: () => Promise.reject(WORD),
      authenticateKnown: () => null,
      findToken: () => null,
    }
    const broken = {
      ...gate,
      login: () => Promise.reject(new RangeError(`cannot handle ${WORD}`)),
    }
    const handle = createHttpHandler({
      gate: broken,
      authenticator,
      settings,
      isClosed: () => false,
      track: (work) => work(),
    })
    const fetch = async (request: Request) => toFetchResponse(await handle(request))
    const replies = [
      await call({ ...broken, fetch }, 'POST /auth/login', { body: { identifier: 'a@app.example', password: WORD } }),
      await call({ ...broken, fetch }, 'GET /auth/me', { token: WORD }),
    ]
    for (const [at, reply] of replies.entries()) {
      expect([reply.status, reply.json.code]).toEqual([500, 'ERR_INTERNAL'])
      expect(lines[at]).toMatchObject({ request_id: reply.json.request_id })
    }
    expect(lines).toHaveLength(2)
    expect(JSON.stringify([lines, replies])).not.toContain(WORD)
    await gate.close()
  })
})
