import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { GatebookError } from '../../src/errors.ts'
import { OPTIONS, type OptionName, type OptionRow } from '../../src/options.ts'
import {
  flagOf,
  inConfigTerms,
  libraryOptions,
  readConfig,
  requireIssuer,
  type SettingValue,
} from '../../src/server/config.ts'

const folder = mkdtempSync(join(tmpdir(), 'gatebook-config-'))
afterAll(() => rmSync(folder, { recursive: true }))

const ROWS = Object.entries(OPTIONS) as [OptionName, OptionRow][]

/** A text that the row allows and that is not its default, with the value that it means. */
function sampleOf(name: OptionName, row: OptionRow): [string, SettingValue] {
  if (name === 'database') return ['sqlite:other.db', 'sqlite:other.db']
  if (name === 'anchors') return ['file:a,b, file:c d\nfile:e', ['file:a,b', 'file:c d', 'file:e']]
  switch (row.kind) {
    case 'integer': {
      const [low, high] = row.range ?? [0, 1000]
      const value = row.default === low ? high : low
      return [String(value), value]
    }
    case 'boolean':
      return [row.default === true ? 'no' : 'yes', row.default !== true]
    case 'enum': {
      const value = row.values?.find((candidate) => candidate !== row.default) ?? ''
      return [value, value]
    }
    case 'list':
      return ['a.example, b.example', ['a.example', 'b.example']]
    case 'url':
      return ['https://auth.example.org', 'https://auth.example.org']
    default:
      return ['something', 'something']
  }
}

/** Texts that the row does not allow. */
function wrongFor(name: OptionName, row: OptionRow): string[] {
  if (name === 'database') return ['', 'gatebook.db', 'oracle://db']
  if (name === 'anchors') return ['anchors', 'file:', 'https://a.example/', 'witness:https://a.example', 'command:keep']
  switch (row.kind) {
    case 'integer': {
      const [low, high] = row.range ?? [0, 1000]
      return ['', 'many', '1e3', '0x10', ' 5', '5 ', '1.5', '007', String(low - 1), String(high + 1)]
    }
    case 'boolean':
      return ['', 'on', 'TRUE!']
    case 'enum':
      return ['', 'maybe']
    case 'list':
      return ['a,,b']
    case 'url':
      return ['', 'auth.example.org', 'https://auth.example.org/', 'ftp://auth.example.org', 'https://a.example?x=1']
    default:
      return []
  }
}

function detailOf(act: () => unknown): { code: string; detail: string } {
  try {
    act()
  } catch (error) {
    if (error instanceof GatebookError) return { code: error.code, detail: error.detail ?? '' }
    throw error
  }
  throw new Error('nothing was refused')
}

describe.each(ROWS)('%s', (name, row) => {
  const [text, value] = sampleOf(name, row)

  test('has its default when nothing is set', () => {
    expect(readConfig({})[name]).toEqual({ value: row.default, source: 'default', name: row.env })
  })

  test('is read from the environment', () => {
    expect(readConfig({ [row.env]: text })[name]).toEqual({ value, source: 'environment', name: row.env })
  })

  test('a flag wins over the environment', () => {
    const [other] = wrongFor(name, row)
    const config = readConfig({ [row.env]: other ?? 'other' }, { [name]: text })
    expect(config[name]).toEqual({ value, source: 'flag', name: flagOf(name) })
  })

  test('a value that is not allowed is refused by name', () => {
    for (const wrong of wrongFor(name, row)) {
      const { code, detail } = detailOf(() => readConfig({ [row.env]: wrong }))
      expect([wrong, code, detail]).toEqual([wrong, 'ERR_OPTION_INVALID', expect.stringContaining(row.env)])
      for (const allowed of row.values ?? []) expect(detail).toContain(allowed)
    }
  })
})

/** `GATEBOOK_SECRET_FILE` is a setting of its own; see below. */
/** Two settings have an option of its own for their file. */
const WITHOUT_FILE_FORM: ReadonlySet<string> = new Set(['secret', 'secretFile', 'logKey', 'logKeyFile'])
const WITH_FILE_FORM = ROWS.filter(([name]) => !WITHOUT_FILE_FORM.has(name))

describe.each(WITH_FILE_FORM)('the file form of %s', (name, row) => {
  const [text, value] = sampleOf(name, row)
  const setting = `${row.env}_FILE`

  test('holds the value', () => {
    const path = join(folder, name)
    writeFileSync(path, `${text}\n`)
    expect(readConfig({ [setting]: path })[name]).toEqual({ value, source: 'file', name: setting })
  })

  test('beside the plain one is refused', () => {
    expect(detailOf(() => readConfig({ [setting]: 'any', [row.env]: text })).detail).toBe(
      `${row.env} and ${setting} are both set: one of the two must go.`,
    )
  })

  test('is refused by name when the file is not there', () => {
    const { detail } = detailOf(() => readConfig({ [setting]: join(folder, 'nothing') }))
    expect(detail).toMatch(new RegExp(`^${setting} names the file .*nothing.*ENOENT`))
  })
})

describe('the secret', () => {
  test('GATEBOOK_SECRET_FILE is the option secretFile, which the library reads or makes', () => {
    const config = readConfig({ GATEBOOK_SECRET_FILE: '/run/secrets/gatebook' })
    expect(libraryOptions(config)).toEqual({ secretFile: '/run/secrets/gatebook' })
    const other = readConfig({ GATEBOOK_LOG_KEY_FILE: '/run/secrets/log-key' })
    expect(libraryOptions(other)).toEqual({ logKeyFile: '/run/secrets/log-key' })
  })

  test('has no file form of the file form', () => {
    expect(detailOf(() => readConfig({ GATEBOOK_SECRET_FILE_FILE: 'a' })).code).toBe('ERR_OPTION_UNKNOWN')
  })

  test('both forms at once are refused', () => {
    const environment = { GATEBOOK_SECRET: 'x'.repeat(40), GATEBOOK_SECRET_FILE: 'a' }
    expect(detailOf(() => readConfig(environment)).detail).toBe(
      'GATEBOOK_SECRET and GATEBOOK_SECRET_FILE are both set: one of the two must go.',
    )
  })
})

describe('files', () => {
  test('lose one line break at the end and nothing else', () => {
    const path = join(folder, 'hs256')
    writeFileSync(path, ' secret with blanks \n\r\n')
    expect(readConfig({ GATEBOOK_HS256_SECRET_FILE: path }).hs256Secret.value).toBe(' secret with blanks \n')
  })
})

describe('unknown settings', () => {
  test('are refused with the name that was meant', () => {
    expect(detailOf(() => readConfig({ GATEBOOK_PROT: '1' }))).toEqual({
      code: 'ERR_OPTION_UNKNOWN',
      detail: 'There is no setting GATEBOOK_PROT. Did you mean GATEBOOK_PORT?',
    })
    expect(detailOf(() => readConfig({ GATEBOOK_DATABSE_FILE: '1' })).detail).toMatch(/GATEBOOK_DATABASE_FILE\?$/)
    expect(detailOf(() => readConfig({ GATEBOOK_XYZZY: '1' })).detail).toBe('There is no setting GATEBOOK_XYZZY.')
  })

  test('of the tests and of other programs are let alone', () => {
    expect(readConfig({ GATEBOOK_TEST_POSTGRES: 'x', PORT: '1', GATEBOOKS: '2' }).port.source).toBe('default')
  })
})

describe('a database URL', () => {
  const PASSWORD = 'hunter#2/geheim'

  test.each([
    `postgres://app:${PASSWORD}@db.example/app`,
    `mysql://app:${PASSWORD}@/app`,
    `postgres://app:${PASSWORD}`,
    `mysql:app:${PASSWORD}@db/app`,
    `${PASSWORD}`,
    `sqlite://${PASSWORD}`,
    'postgres://app:geheim@db.example',
    'mysql://app:geheim@db.example/',
  ])('that cannot be used is refused without its password: %s', (url) => {
    for (const name of ['GATEBOOK_DATABASE', '--database']) {
      const { code, detail } = detailOf(() =>
        name.startsWith('-') ? readConfig({}, { database: url }) : readConfig({ [name]: url }),
      )
      expect(code).toBe('ERR_OPTION_INVALID')
      expect(detail).toContain(name)
      expect(detail).not.toMatch(/hunter|geheim/)
    }
  })
})

describe('production', () => {
  test('asks for the issuer', () => {
    expect(detailOf(() => requireIssuer(readConfig({}), { NODE_ENV: 'production' })).detail).toMatch(/^GATEBOOK_ISSUER/)
    requireIssuer(readConfig({ GATEBOOK_ISSUER: 'https://a.example' }), { NODE_ENV: 'production' })
    requireIssuer(readConfig({}), {})
  })
})

describe('what the library refuses', () => {
  test('is told in the words of whoever set it', () => {
    const error = new GatebookError('ERR_OPTION_INVALID', { detail: 'refreshIdleSeconds: it must not be longer.' })
    const config = readConfig({ GATEBOOK_REFRESH_IDLE_SECONDS: '3600' })
    expect(inConfigTerms(error, config)).toMatchObject({
      detail: 'GATEBOOK_REFRESH_IDLE_SECONDS: it must not be longer.',
    })
  })
})
