import { describe, expect, test } from 'vitest'
import { ARGUMENTS } from '../../src/api-arguments.ts'
import { type ErrorCode, GatebookError } from '../../src/errors.ts'
import { availableEngines } from '../support/engines.ts'
import { openOwnGate, PASSWORD } from '../support/gate.ts'

/** What JavaScript lets through where TypeScript would not, and strings that no method can do anything with. */
const JUNK: readonly (readonly [name: string, value: unknown])[] = [
  ['undefined', undefined],
  ['null', null],
  ['a number', 1],
  ['not a number', Number.NaN],
  ['a large number', 2 ** 60],
  ['a bigint', 1n],
  ['true', true],
  ['a symbol', Symbol('junk')],
  ['a function', () => 'junk'],
  ['an empty object', {}],
  ['an empty array', []],
  ['an empty string', ''],
  ['a NUL', '\0'],
  ['half a character', '\ud800'],
  ['a long string', 'x'.repeat(100_000)],
  ['an object without a prototype', Object.create(null)],
  ['a promise', Promise.resolve('junk')],
]

/** In the place of the arguments that come before. */
const RIGHT: Readonly<Record<string, unknown>> = {
  input: { identifier: 'anna@app.example', password: PASSWORD, token: 'x', newPassword: PASSWORD },
  filter: {},
  options: {},
  userId: 'usr_01m8bzjdxxm4aj5wey65bkyydt',
  grant: {},
  role: 'reader',
  reason: 'logout',
  sessionId: 'ses_01m8bzjdxxm4aj5wey65bkyydt',
  password: PASSWORD,
  event: { type: 'app.test' },
  headers: new Headers(),
  request: new Request('http://localhost/auth/me'),
  rows: [],
}

/** Names of members that objects are taken for, each holding junk. */
function withMembers(value: unknown): object {
  const names = [
    'identifier',
    'password',
    'token',
    'newPassword',
    'currentPassword',
    'claims',
    'type',
    'data',
    'userId',
  ]
  const others = [
    'roles',
    'limit',
    'cursor',
    'ip',
    'actor',
    'ipSource',
    'from',
    'user',
    'scope',
    'url',
    'headers',
    'tx',
  ]
  return Object.fromEntries([...names, ...others].map((name) => [name, value]))
}

type Method = (...given: unknown[]) => unknown

function listMethods(api: object, prefix = ''): [path: string, method: Method][] {
  return Object.entries(api).flatMap(([name, member]): [string, Method][] => {
    if (typeof member === 'function') return [[prefix + name, member as Method]]
    return typeof member === 'object' && member !== null ? listMethods(member, `${prefix}${name}.`) : []
  })
}

/** The code of the refusal; null when there was none. Throws for whatever is no error of ours. */
async function codeOf(method: Method, given: readonly unknown[]): Promise<ErrorCode | null> {
  try {
    const result = await method(...given)
    // An iterator says what is wrong at its first step; one that waits has nothing against its arguments.
    if (Symbol.asyncIterator in Object(result)) await (result as AsyncGenerator).return(undefined)
    return null
  } catch (error) {
    if (error instanceof GatebookError) return error.code
    throw error
  }
}

const NO_OP = async () => undefined
const SENDERS = { sendReset: NO_OP, sendConfirmation: NO_OP, sendInvitation: NO_OP }
const UNTESTED = new Set(['ready', 'close'])

describe.each(availableEngines)('on $name', (engine) => {
  test('a value of a wrong type is refused with a code, by every method, for every argument', async () => {
    const { gate } = await openOwnGate(engine, { ...SENDERS, registration: 'confirm' })
    const attempt = await gate.attempts.begin({ identifier: 'anna@app.example' })
    const methods = [...listMethods(gate), ...listMethods(attempt, 'attempt.')].filter(([path]) => !UNTESTED.has(path))
    expect(methods.map(([path]) => path).toSorted()).toEqual(Object.keys(ARGUMENTS).toSorted())
    const wrong: string[] = []
    for (const [path, method] of methods) {
      for (const [at] of ARGUMENTS[path]!.entries()) {
        const before = ARGUMENTS[path]!.slice(0, at).map(([name]) => RIGHT[name])
        for (const [name, value] of JUNK) {
          for (const junk of [value, withMembers(value)]) {
            const asked = `${path}, argument ${at}: ${junk === value ? name : `members that are ${name}`}`
            const code = await codeOf(method, [...before, junk]).catch((error: Error) =>
              wrong.push(`${asked}: ${error.stack?.split('\n').slice(0, 3).join(' ')}`),
            )
            if (code === 'ERR_INTERNAL' || code === 'ERR_DATABASE') wrong.push(`${asked}: ${code}`)
          }
        }
      }
    }
    expect(wrong).toEqual([])
  })
})

test('the refusal names the argument and the kind of the value, never the value', async () => {
  const { gate } = await openOwnGate(availableEngines[0]!)
  const given = { identifier: 'anna@app.example', password: ['hunter2'] } as never
  await expect(gate.login(given)).rejects.toMatchObject({
    code: 'ERR_ARGUMENT_INVALID',
    status: 422,
    detail: 'login: input.password is an array; a string is expected.',
  })
  await expect(gate.users.list({ limit: '5' } as never)).rejects.toMatchObject({
    detail: 'users.list: options.limit is of type string; a number is expected.',
  })
})
