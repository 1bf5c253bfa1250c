import { GatebookError } from '../errors.ts'
import type { Dialect, DialectName } from '../store/dialect.ts'
import { mysql } from '../store/dialects/mysql.ts'
import { postgres } from '../store/dialects/postgres.ts'
import { sqlite } from '../store/dialects/sqlite.ts'

export interface DatabaseAddress {
  readonly engine: DialectName
  /** SQLite: the path or `:memory:`. Servers: a URL whose scheme the driver knows. */
  readonly target: string
}

const SCHEMES: Readonly<Record<string, { readonly engine: DialectName; readonly scheme: string }>> = {
  'postgres:': { engine: 'postgres', scheme: 'postgres:' },
  'postgresql:': { engine: 'postgres', scheme: 'postgres:' },
  'mysql:': { engine: 'mysql', scheme: 'mysql:' },
  'mariadb:': { engine: 'mysql', scheme: 'mysql:' },
}

const DIALECTS: Readonly<Record<DialectName, (target: string) => Dialect>> = { sqlite, postgres, mysql }

/**
 * The dialect of `sqlite:PATH`, `sqlite::memory:`, `postgres://…` (or `postgresql://…`) and `mysql://…` (or
 * `mariadb://…`). Throws ERR_OPTION_INVALID naming `setting`. Nothing of the URL stands in the message, because a URL
 * that cannot be read may have its password anywhere.
 */
export function parseDatabaseUrl(url: string, setting = 'GATEBOOK_DATABASE'): Dialect {
  const { engine, target } = parseDatabaseAddress(url, setting)
  return DIALECTS[engine](target)
}

/** The first half of {@link parseDatabaseUrl}: what the URL says, before any dialect is made. */
export function parseDatabaseAddress(url: string, setting = 'GATEBOOK_DATABASE'): DatabaseAddress {
  const scheme = /^[a-z]+:/i.exec(url)?.[0].toLowerCase()
  if (scheme === 'sqlite:') return { engine: 'sqlite', target: parseSqlitePath(url.slice(scheme.length), setting) }
  const row = scheme === undefined || !Object.hasOwn(SCHEMES, scheme) ? undefined : SCHEMES[scheme]
  if (row === undefined) {
    throw invalid(setting, 'must begin with sqlite:, postgres:// or mysql://, e.g. sqlite:gatebook.db')
  }
  const parsed = parseUrl(`${row.scheme}${url.slice(scheme!.length)}`)
  const form = `${row.scheme}//USER:PASSWORD@HOST/DATABASE`
  if (parsed === null) {
    throw invalid(
      setting,
      `must have the form ${form}; characters such as #, /, ? and @ in the password are percent-encoded`,
    )
  }
  // A socket folder may be given as a parameter instead of a host.
  if (parsed.hostname === '' && row.engine === 'mysql') throw invalid(setting, `names no host: ${form}`)
  if (!/^\/[^/]+$/.test(parsed.pathname)) throw invalid(setting, `names no database: ${form}`)
  if (parsed.hash !== '') throw invalid(setting, `has a # in it: in a password it is written %23`)
  return { engine: row.engine, target: parsed.href }
}

function parseUrl(url: string): URL | null {
  try {
    return /^[a-z]+:\/\//.test(url) ? new URL(url) : null
  } catch {
    return null
  }
}

function parseSqlitePath(path: string, setting: string): string {
  if (path === '') throw invalid(setting, 'names no file: sqlite:PATH, e.g. sqlite:gatebook.db')
  // `sqlite:///var/x.db` is what other programs call an absolute path; with two slashes it is not clear what is meant.
  if (/^\/\/[^/]/.test(path)) throw invalid(setting, 'is sqlite:PATH or sqlite:///ABSOLUTE/PATH, not sqlite://PATH')
  if (/[?\0]/.test(path)) throw invalid(setting, 'takes a path without parameters: sqlite:PATH')
  return path.replace(/^\/{2,}/, '/')
}

function invalid(setting: string, problem: string): GatebookError {
  return new GatebookError('ERR_OPTION_INVALID', { detail: `${setting} ${problem}.` })
}
