/**
 * The settings in force, for admins.
 *
 * Events: none.
 */
import type { ConfiguredSetting } from '../api.ts'
import {
  type GatebookOptions,
  OPTIONS,
  type OptionName,
  type OptionRow,
  type SettingSource,
  type Settings,
} from '../options.ts'

/** Rows of the program that called are there as far as it has said what it has read. */
export function tellConfiguration(settings: Settings, given: GatebookOptions): readonly ConfiguredSetting[] {
  const sources = given.settingSources ?? {}
  return (Object.entries(OPTIONS) as [OptionName, OptionRow][]).flatMap(([name, row]) => {
    const read = sources[name]
    if (row.scope === 'server' && read === undefined) return []
    const own = (given as unknown as Partial<Record<OptionName, unknown>>)[name]
    const value = row.scope === 'server' ? read?.value : (settings as unknown as Record<OptionName, unknown>)[name]
    return [
      {
        name,
        env: row.env,
        value: row.secret === true ? tellSecret(value) : tellValue(value),
        unit: row.unit ?? null,
        source: sourceOf(read?.source ?? (own === undefined ? 'default' : 'option')),
      },
    ]
  })
}

/** A flag is what whoever starts a program passes to it. */
function sourceOf(source: SettingSource): ConfiguredSetting['source'] {
  return source === 'flag' ? 'option' : source
}

function tellSecret(value: unknown): string {
  const isSet = value !== null && value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0)
  return isSet ? 'set' : 'not set'
}

/** Nothing but what a row can hold: an object would be more than somebody has looked through. */
function tellValue(value: unknown): ConfiguredSetting['value'] {
  if (Array.isArray(value)) return value.map(String)
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null
}
