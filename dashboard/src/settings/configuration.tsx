import type { JSX } from 'preact'
import type { ConfigurationItem } from '../api/wire.ts'
import { useDesk } from '../context.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { Foreign } from '../parts/foreign.tsx'
import { Panel, Showing } from '../parts/panel.tsx'
import { useLoad } from '../parts/use-load.ts'
import { goWith, type Place } from '../router/location.ts'

/** As it is in force. Nothing can be changed here: a restart would take it back. */
export function Configuration({ place }: { readonly place: Place }): JSX.Element {
  const { text } = useLanguage()
  const { api } = useDesk()
  const wanted = place.search.get('setting') ?? ''
  const loaded = useLoad('configuration', (signal) =>
    api.get<{ readonly items: readonly ConfigurationItem[] }>('/configuration', {}, signal),
  )
  const { configurationColumns: columns } = text.settings
  const sources = text.settings.sources as Readonly<Record<string, string>>
  return (
    <Panel title={text.settings.configuration} about={text.settings.configurationAbout}>
      <Showing loaded={loaded}>
        {({ items }) => (
          <>
            <input
              class="filter"
              type="search"
              aria-label={text.settings.configurationFilter}
              placeholder={text.settings.configurationFilter}
              value={wanted}
              onInput={(event) => goWith({ setting: event.currentTarget.value }, { replace: true })}
            />
            <div class="scroll-x" tabIndex={0} role="group" aria-label={text.settings.configuration}>
              <table class="table">
                <thead>
                  <tr>
                    <th scope="col">{columns.name}</th>
                    <th scope="col">{columns.value}</th>
                    <th scope="col">{columns.source}</th>
                  </tr>
                </thead>
                <tbody>
                  {items
                    .filter(({ name, env }) => `${name} ${env}`.toLowerCase().includes(wanted.toLowerCase()))
                    .map((item) => (
                      <tr key={item.name} data-setting={item.name}>
                        <th scope="row">
                          <span class="mono">{item.name}</span>
                          <span class="env mono quiet">{item.env}</span>
                        </th>
                        <td class="cell-wide">
                          <Value item={item} />
                        </td>
                        <td>
                          <span class={item.source === 'default' ? 'quiet' : 'badge'}>
                            {sources[item.source] ?? item.source}
                          </span>
                        </td>
                      </tr>
                    ))}
                </tbody>
              </table>
            </div>
          </>
        )}
      </Showing>
    </Panel>
  )
}

/** What the server says of a secret, which may be told in other languages. */
const SECRETS: Readonly<Record<string, 'secret' | 'unset'>> = { set: 'secret', 'not set': 'unset' }

function Value({ item: { value, unit } }: { readonly item: ConfigurationItem }): JSX.Element {
  const { text, format } = useLanguage()
  const units = text.settings.units as Readonly<Record<string, string>>
  const known = typeof value === 'string' ? SECRETS[value] : undefined
  if (known !== undefined) return <span class="quiet">{text.settings[known]}</span>
  if (value === null || (Array.isArray(value) && value.length === 0)) {
    return <span class="quiet">{text.settings.unset}</span>
  }
  if (value === '') return <span class="quiet">{text.settings.empty}</span>
  const shown =
    // What has no unit is a name, like a port.
    typeof value === 'number' && unit !== null
      ? format.number(value)
      : Array.isArray(value)
        ? value.join(', ')
        : String(value)
  return (
    <>
      <Foreign text={shown} most={300} mono />
      {unit !== null && <span class="quiet"> {units[unit] ?? unit}</span>}
    </>
  )
}
