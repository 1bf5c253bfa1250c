import { afterAll, expect, test } from 'vitest'
import type { Gatebook } from '../../src/api.ts'
import { call, openGate, PASSWORD, register } from './caller.ts'

const gates: Gatebook[] = []
afterAll(() => Promise.all(gates.map((gate) => gate.close())))

test('more log-ins than can be held are answered 503 with Retry-After, and nobody else notices', async () => {
  const gate = await openGate({ hashConcurrency: 1, hashQueueLimit: 2 })
  gates.push(gate)
  const { access } = await register(gate, 'anna@app.example')
  const before = (await gate.log.search({}, { limit: 500 })).items.length
  const body = { identifier: 'nobody@app.example', password: PASSWORD }
  const flood = Promise.all(Array.from({ length: 30 }, () => call(gate, 'POST /auth/login', { body })))
  expect((await call(gate, 'GET /auth/me', { token: access })).status).toBe(200)
  const replies = await flood
  const refused = replies.filter(({ status }) => status === 503)
  expect(refused.length).toBeGreaterThan(0)
  expect(replies.map(({ status }) => status).filter((status) => ![401, 429, 503].includes(status))).toEqual([])
  for (const { json: problem, headers } of refused) {
    expect(problem).toMatchObject({ code: 'ERR_OVERLOADED', status: 503 })
    expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
  }
  // Nothing was looked at for those, so nothing is in the log; each of the others left one event.
  const after = (await gate.log.search({}, { limit: 500 })).items.length
  expect(after - before).toBe(replies.length - refused.length)
  expect((await call(gate, 'POST /auth/login', { body })).status).not.toBe(503)
})
