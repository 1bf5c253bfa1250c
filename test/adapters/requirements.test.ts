import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as express from '../../src/adapters/express.ts'
import * as fastify from '../../src/adapters/fastify.ts'
import * as hono from '../../src/adapters/hono.ts'
import * as koa from '../../src/adapters/koa.ts'
import * as nest from '../../src/adapters/nest.ts'
import * as next from '../../src/adapters/next.ts'
import * as node from '../../src/adapters/node.ts'
import { required } from '../../src/adapters/requirements.ts'
import type { Gatebook } from '../../src/api.ts'
import { GatebookError } from '../../src/errors.ts'
import { createTestGatebook, type TestGatebook } from '../../src/testing/index.ts'
import { HIDDEN_REQUIREMENTS, UNLISTED_ROLE } from '../support/hidden-requirements.ts'

let kit: TestGatebook
let gate: Gatebook
beforeAll(async () => {
  kit = await createTestGatebook()
  gate = kit.gate
})
afterAll(() => kit.close())

/** What a typo makes of a requirement must not be no requirement. */
type Guards = Readonly<Record<'user' | 'role' | 'fresh', (value: unknown) => unknown>>

const handler = () => new Response()
const guards: Readonly<Record<string, Guards>> = {
  express: {
    user: (options) => express.requireUser(gate, options as object),
    role: (role) => express.requireRole(gate, role as string),
    fresh: (seconds) => express.requireFresh(gate, seconds as number),
  },
  node: {
    user: (options) => node.requireUser(gate, handler, options as object),
    role: (role) => node.requireRole(gate, role as string, handler),
    fresh: (seconds) => node.requireFresh(gate, seconds as number, handler),
  },
  fastify: {
    user: (options) => fastify.requireUser(gate, options as object),
    role: (role) => fastify.requireRole(gate, role as string),
    fresh: (seconds) => fastify.requireFresh(gate, seconds as number),
  },
  koa: {
    user: (options) => koa.requireUser(gate, options as object),
    role: (role) => koa.requireRole(gate, role as string),
    fresh: (seconds) => koa.requireFresh(gate, seconds as number),
  },
  hono: {
    user: (options) => hono.requireUser(gate, options as object),
    role: (role) => hono.requireRole(gate, role as string),
    fresh: (seconds) => hono.requireFresh(gate, seconds as number),
  },
  nest: {
    user: (options) => nest.RequireUser(options as object),
    role: (role) => nest.RequireRole(role as string),
    fresh: (seconds) => nest.RequireFresh(seconds as number),
  },
  next: {
    user: (options) => next.withUser(gate, handler, options as object),
    role: (role) => next.withRole(gate, role as string, handler),
    fresh: (seconds) => next.withFresh(gate, seconds as number, handler),
  },
}

describe.each(Object.entries(guards))('%s', (_name, { user, role, fresh }) => {
  test.each([
    ['a role that is undefined', () => role(undefined)],
    ['a role without a name', () => role('')],
    ['an undefined role among the options', () => user({ role: undefined })],
    ['a requirement that there is not', () => user({ roles: ['admin'] })],
    ['that the token be optional', () => user({ optional: true })],
    ['an age that is no number', () => fresh(Number.NaN)],
    ['an age that is a text', () => fresh('60')],
    ['an age below nothing', () => fresh(-1)],
  ])('refuses %s where the application is put together', (_, guard) => {
    expect(guard).toThrow(expect.objectContaining({ code: 'ERR_ARGUMENT_INVALID' }))
    expect(guard).toThrow(GatebookError)
  })

  test.each(HIDDEN_REQUIREMENTS)('refuses requirements that are %s', (_, requirements) => {
    expect(() => user(requirements)).toThrow(expect.objectContaining({ code: 'ERR_ARGUMENT_INVALID' }))
  })

  test('takes what is right', () => {
    expect(typeof user({ role: 'admin', maxAgeSeconds: 0 })).toBe('function')
    expect(typeof user(Object.assign(Object.create(null), { role: 'admin' }))).toBe('function')
    expect(typeof role('admin')).toBe('function')
    expect(typeof fresh(60)).toBe('function')
  })
})

test.each(HIDDEN_REQUIREMENTS)('the middleware of Next.js refuses requirements that are %s', (_, requirements) => {
  expect(() => next.middleware(gate, requirements as object)).toThrow(
    expect.objectContaining({ code: 'ERR_ARGUMENT_INVALID' }),
  )
})

test('where to find the address is no requirement, where an adapter asks for it', () => {
  const options = { role: 'admin', remoteAddress: () => '203.0.113.7' }
  expect(typeof hono.requireUser(gate, options)).toBe('function')
  expect(typeof next.withUser(gate, handler, options)).toBe('function')
  expect(typeof next.middleware(gate, options)).toBe('function')
  expect(() => express.requireUser(gate, options)).toThrow(expect.objectContaining({ code: 'ERR_ARGUMENT_INVALID' }))
})

test('a role that is not listed is asked for like any other', () => {
  expect(required(UNLISTED_ROLE)).toEqual({ role: 'admin', optional: false })
})
