import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { tellConfiguration } from '../../src/flow/tell-configuration.ts'
import { configurationSchema } from '../../src/http/schema.ts'
import { type GatebookOptions, OPTIONS, resolveOptions } from '../../src/options.ts'
import { readConfig } from '../../src/server/config.ts'
import { systemClock } from '../../src/util/clock.ts'
import { availableEngines } from '../support/engines.ts'
import { openOwnGate, SECRET, scenario } from '../support/gate.ts'
import { LOG_KEY } from '../support/log-signing.ts'
import { call } from './caller.ts'

const PLANTED = 'PLANTED-no-one-may-read-this-0123456789abcdef'

describe.each(availableEngines)('GET /admin/api/configuration on $name', (engine) => {
  test('says what is in force and where it comes from, and no secret', async () => {
    const on = await openOwnGate(engine, { adminPath: '/admin', sessionsPerUser: 7, hs256Secret: PLANTED })
    const chief = on.person('chief')
    await on.gate.users.create({ identifier: chief.identifier, password: chief.password, roles: ['admin'] })
    const { accessToken: token } = await on.gate.login(chief, chief.context)
    await scenario(on)
    const { status, json, text } = await call(on.gate, 'GET /admin/api/configuration', { token })
    expect(status).toBe(200)
    expect(configurationSchema.parse(json)).toEqual(json)
    const of = (name: string) => json.items.find((item: { name: string }) => item.name === name)
    expect(of('sessionsPerUser')).toEqual({
      name: 'sessionsPerUser',
      env: 'GATEBOOK_SESSIONS_PER_USER',
      value: 7,
      unit: null,
      source: 'option',
    })
    expect(of('refreshIdleSeconds')).toMatchObject({ value: 1_209_600, unit: 'seconds', source: 'default' })
    expect(of('secret')).toMatchObject({ value: 'set', source: 'option' })
    expect(of('anchors')).toMatchObject({ value: 'not set', source: 'default' })
    // Nobody has said what the program that calls has read.
    expect(of('port')).toBeUndefined()
    for (const secret of [SECRET, LOG_KEY, PLANTED]) expect(text).not.toContain(secret)
  })
})

describe('the configuration of a server', () => {
  test('names every setting, and of none that may hold a secret more than that it is set', () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatebook-configuration-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    writeFileSync(join(folder, 'hs256'), `${PLANTED}-file`)
    const config = readConfig(
      {
        GATEBOOK_DATABASE: `postgres://gate:${PLANTED}@db.example/gate`,
        GATEBOOK_SECRET: PLANTED,
        GATEBOOK_LOG_KEY: PLANTED,
        GATEBOOK_HS256_SECRET_FILE: join(folder, 'hs256'),
        GATEBOOK_SMTP_URL: `smtp://user:${PLANTED}@mail.example`,
        GATEBOOK_ANCHORS: `https://user:${PLANTED}@anchor.example/{size}`,
        GATEBOOK_TRUSTED_PROXIES: '10.0.0.1, 10.0.0.2',
        GATEBOOK_ISSUER: 'https://app.example',
      },
      { port: '0' },
    )
    const library = Object.fromEntries(
      Object.entries(config)
        .filter(([name, { source }]) => {
          return OPTIONS[name as keyof typeof OPTIONS].scope === 'library' && source !== 'default'
        })
        .map(([name, { value }]) => [name, value]),
    )
    const options = { ...library, adminPath: '/admin', settingSources: config } as unknown as GatebookOptions
    const told = tellConfiguration(resolveOptions(options, systemClock, 3), options)
    expect(told.map(({ name }) => name)).toEqual(Object.keys(OPTIONS))
    expect(JSON.stringify(told)).not.toContain('PLANTED')
    const of = Object.fromEntries(told.map(({ name, value, source }) => [name, [value, source]]))
    expect(of).toMatchObject({
      database: ['set', 'environment'],
      secret: ['set', 'environment'],
      logKey: ['set', 'environment'],
      hs256Secret: ['set', 'file'],
      smtpUrl: ['set', 'environment'],
      anchors: ['set', 'environment'],
      trustedProxies: [['10.0.0.1', '10.0.0.2'], 'environment'],
      port: [0, 'option'],
      adminPath: ['/admin', 'default'],
      host: ['127.0.0.1', 'default'],
    })
  })

  test('has decided for every setting whose name speaks of a secret, or of a place with a password in it', () => {
    const suspicious = Object.entries(OPTIONS).filter(
      ([name, { kind, secret }]) =>
        kind !== 'integer' && secret !== true && /secret|key|url|database|token|password/i.test(name),
    )
    // Names of files, and pages that mails lead to.
    expect(suspicious.map(([name]) => name)).toEqual([
      'resetUrl',
      'confirmationUrl',
      'invitationUrl',
      'authorizationUrl',
      'secretFile',
      'logKeyFile',
    ])
  })
})
