import { readFileSync } from 'node:fs'
import { GatebookError, isGatebookError } from '../errors.ts'
import { parseAnchors } from '../log/anchor-setting.ts'
import {
  checkOption,
  type GatebookOptions,
  OPTIONS,
  type OptionName,
  type OptionRow,
  type SettingSource,
} from '../options.ts'
import { findNearest } from '../util/nearest.ts'
import { parseDatabaseAddress } from './database-url.ts'

export type SettingValue = string | number | boolean | readonly string[] | null

export interface Setting {
  readonly value: SettingValue
  readonly source: SettingSource
  /** What a person changes to change it: `GATEBOOK_PORT`, `GATEBOOK_DATABASE_FILE`, `--port`. */
  readonly name: string
}

/** Every row of OPTIONS with its value and where that came from. */
export type Config = Readonly<Record<OptionName, Setting>>

export type Environment = Readonly<Record<string, string | undefined>>
/** Values of command-line flags, as they were typed. */
export type Flags = Readonly<Partial<Record<OptionName, string>>>

const ROWS = Object.entries(OPTIONS) as [OptionName, OptionRow][]

/** Settings that have no flag: what stands on a command line can be read by every account of the machine. */
export const WITHOUT_FLAG: ReadonlySet<OptionName> = new Set<OptionName>([
  'secret',
  'logKey',
  'hs256Secret',
  'smtpUrl',
  'anchors',
])

/** Environment names whose plain form is the `_FILE` form of another row: they mean that one thing and nothing else. */
const FILE_ROWS: ReadonlySet<string> = new Set([OPTIONS.secretFile.env, OPTIONS.logKeyFile.env])

/** `accessTokenSeconds` is `--access-token-seconds`. */
export function flagOf(name: OptionName): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

/**
 * Reads every setting: a flag wins over the environment, the environment over the default. Throws ERR_OPTION_UNKNOWN and
 * ERR_OPTION_INVALID; the detail names the setting as the person gave it, what is wrong and what is allowed.
 */
export function readConfig(environment: Environment, flags: Flags = {}): Config {
  refuseUnknown(environment)
  const config = Object.fromEntries(
    ROWS.map(([name, row]) => [name, readSetting(name, row, environment, flags)]),
  ) as Record<OptionName, Setting>
  parseDatabaseAddress(config.database.value as string, config.database.name)
  try {
    parseAnchors(config.anchors.value)
  } catch (error) {
    throw inConfigTerms(error, config)
  }
  if (config.secret.source !== 'default' && config.secretFile.source !== 'default') {
    throw invalid(`${config.secret.name} and ${config.secretFile.name} are both set: one of the two must go.`)
  }
  if (config.logKey.source !== 'default' && config.logKeyFile.source !== 'default') {
    throw invalid(`${config.logKey.name} and ${config.logKeyFile.name} are both set: one of the two must go.`)
  }
  return Object.freeze(config)
}

/** A fallback issuer would stand in every token of a production system. */
export function requireIssuer(config: Config, environment: Environment): void {
  if (environment.NODE_ENV !== 'production' || config.issuer.value !== null) return
  throw invalid(
    `${config.issuer.name} is not set. With NODE_ENV=production it must be: the public URL, e.g. https://auth.example.org`,
  )
}

/** The options of `createGatebook` that somebody has set; the defaults are filled in there. */
export function libraryOptions(config: Config): Partial<GatebookOptions> {
  const chosen = ROWS.filter(([name, row]) => row.scope === 'library' && config[name].source !== 'default')
  return Object.fromEntries(chosen.map(([name]) => [name, config[name].value]))
}

/** An error of `createGatebook` speaks of `passwordMinLength`; whoever runs a program knows the name that they set. */
export function inConfigTerms(error: unknown, config: Config): unknown {
  if (!isGatebookError(error, 'ERR_OPTION_INVALID') || error.detail === undefined) return error
  const match = /^(\w+): (.*)$/s.exec(error.detail)
  const name = match?.[1] as OptionName | undefined
  if (name === undefined || !Object.hasOwn(OPTIONS, name)) return error
  return new GatebookError(error.code, { detail: `${config[name].name}: ${match![2]}`, cause: error })
}

function readSetting(name: OptionName, row: OptionRow, environment: Environment, flags: Flags): Setting {
  const flag = flags[name]
  if (flag !== undefined)
    return { value: parseValue(name, row, flag, flagOf(name)), source: 'flag', name: flagOf(name) }
  const fileName = `${row.env}_FILE`
  const plain = environment[row.env]
  const path = FILE_ROWS.has(fileName) ? undefined : environment[fileName]
  if (plain !== undefined && path !== undefined) {
    throw invalid(`${row.env} and ${fileName} are both set: one of the two must go.`)
  }
  if (path !== undefined) {
    return { value: parseValue(name, row, readValueFile(fileName, path), fileName), source: 'file', name: fileName }
  }
  if (plain !== undefined) return { value: parseValue(name, row, plain, row.env), source: 'environment', name: row.env }
  return { value: row.default, source: 'default', name: row.env }
}

function readValueFile(setting: string, path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    throw invalid(`${setting} names the file ${JSON.stringify(path)}, which cannot be read (${code}).`, error)
  }
}

function parseValue(name: OptionName, row: OptionRow, text: string, setting: string): SettingValue {
  try {
    return checkOption(name, row, parseText(row, text))
  } catch (error) {
    if (!isGatebookError(error, 'ERR_OPTION_INVALID')) throw error
    const problem = (error.detail ?? error.message).replace(`${name}: `, '')
    // The text in a file may be more than the value was meant to be.
    const shown = row.secret === true || setting.endsWith('_FILE') ? '' : ` is ${JSON.stringify(text.slice(0, 100))}`
    throw invalid(`${setting}${shown}: ${problem}`, error)
  }
}

const BOOLEANS: Readonly<Record<string, boolean>> = {
  true: true,
  1: true,
  yes: true,
  false: false,
  0: false,
  no: false,
}

/** What cannot be read stays text, which `checkOption` then refuses with what is allowed. */
function parseText(row: OptionRow, text: string): unknown {
  switch (row.kind) {
    case 'integer':
      // Number() alone would take '', '1e3', '0x10' and ' 5 '.
      return /^-?(0|[1-9][0-9]*)$/.test(text) ? Number(text) : text
    case 'boolean':
      return Object.hasOwn(BOOLEANS, text.toLowerCase()) ? BOOLEANS[text.toLowerCase()] : text
    case 'list':
      return text.trim() === '' ? [] : splitList(text, row.separator)
    default:
      return text
  }
}

function splitList(text: string, separator: RegExp | undefined): string[] {
  // A separator of its own takes the line breaks between the items, which leaves those around them.
  const parts = separator === undefined ? text.split(',') : text.trim().split(separator)
  return parts.map((item) => item.trim())
}

/** A misspelt setting that nobody reads is a setting that is silently not in force. */
function refuseUnknown(environment: Environment): void {
  const known = new Set<string>(ROWS.flatMap(([, row]) => [row.env, `${row.env}_FILE`]))
  for (const name of FILE_ROWS) known.delete(`${name}_FILE`)
  for (const name of Object.keys(environment)) {
    if (!name.startsWith('GATEBOOK_') || name.startsWith('GATEBOOK_TEST_') || known.has(name)) continue
    const nearest = findNearest(name, known)
    const hint = nearest === null ? '' : ` Did you mean ${nearest}?`
    throw new GatebookError('ERR_OPTION_UNKNOWN', { detail: `There is no setting ${name}.${hint}` })
  }
}

function invalid(detail: string, cause?: unknown): GatebookError {
  return new GatebookError('ERR_OPTION_INVALID', { detail, cause })
}
