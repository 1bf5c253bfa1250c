import { describe, expect, test } from 'vitest'
import { availableEngines } from '../support/engines.ts'
import { openOwnGate, PASSWORD } from '../support/gate.ts'
import { call } from './caller.ts'

/** Each one breaks some parser, some column or some collation. */
const TEXTS = [
  '\0',
  'a\0b',
  '\ud800',
  '😀'.repeat(20),
  '\u202e',
  "' OR 1=1 --",
  '%',
  '\\',
  '\uffff',
  'e\u0301',
  ' ',
  '\n',
  '__proto__',
]

const FILTERS = [
  'type',
  'outcome',
  'reason',
  'user',
  'identifier',
  'ip',
  'session',
  'request',
  'device',
  'event',
  'q',
  'time_zone',
  'from',
  'to',
  'limit',
  'cursor',
]

/** Every place of the API that takes a text. */
function requestsWith(text: string): readonly (readonly [line: string, body?: unknown])[] {
  const escaped = encodeURIComponent(text.isWellFormed() ? text : '\ufffd')
  return [
    ...FILTERS.map((name) => [`GET /admin/api/events?${name}=${escaped}`] as const),
    ...['user', 'identifier', '-request', 'type'].map(
      (name) =>
        [
          `GET /admin/api/events?q=${name}:%22${encodeURIComponent(JSON.stringify(text.toWellFormed()).slice(1, -1))}%22`,
        ] as const,
    ),
    [`GET /admin/api/events/${escaped}`],
    [`GET /admin/api/users?identifier=${escaped}`],
    [`GET /admin/api/users?cursor=${escaped}`],
    [`GET /admin/api/users/${escaped}`],
    [`GET /admin/api/users/${escaped}/sessions`],
    [`POST /admin/api/users/${escaped}/sessions/end`],
    [`PATCH /admin/api/users/${escaped}`, { disabled: true, roles: ['x'] }],
    [`DELETE /admin/api/sessions/${escaped}`],
    [`DELETE /auth/sessions/${escaped}`],
    [`GET /auth/activity?cursor=${escaped}`],
    ['POST /auth/login', { identifier: text, password: 'x' }],
    ['POST /auth/login', { identifier: 'anna@app.example', password: text, device_token: text }],
    ['POST /auth/register', { identifier: text, password: 'short' }],
    ['POST /auth/register', { identifier: 'anna@app.example', password: text.repeat(20) }],
    ['POST /auth/refresh', { refresh_token: text }],
    ['POST /auth/logout', { refresh_token: text }],
    ['POST /auth/password', { current_password: text, new_password: text }],
    ['POST /admin/api/users', { identifier: text, password: text }],
  ]
}

const outcomes = new Map<string, string>()

describe.each(availableEngines)('on $name', (engine) => {
  test('no text that anybody can send breaks a request, and every engine answers it alike', async () => {
    const { gate, diagnostics } = await openOwnGate(engine, { adminPath: '/admin', throttlePairFree: 100 })
    await gate.users.create({ identifier: 'root@app.example', password: PASSWORD, roles: ['admin'] })
    await gate.users.create({ identifier: 'anna@app.example', password: PASSWORD })
    const { accessToken: token } = await gate.login({ identifier: 'root@app.example', password: PASSWORD })
    for (const [at, text] of TEXTS.entries()) {
      for (const [line, body] of requestsWith(text)) {
        const byToken = line.startsWith('POST /auth/logout') ? {} : { token }
        const reply = await call(gate, line, {
          ...byToken,
          body,
          headers: { 'User-Agent': 'hostile/1' },
          remoteAddress: `198.51.100.${at}`,
        })
        const asked = `${line} ${JSON.stringify(body)}`
        expect(reply.status, asked).toBeLessThan(500)
        const answered = `${reply.status} ${reply.json?.code ?? ''}`
        expect(answered, asked).toBe(outcomes.get(asked) ?? answered)
        outcomes.set(asked, answered)
      }
    }
    expect(diagnostics.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([])
  })
})
