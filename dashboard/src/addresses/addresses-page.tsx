import type { JSX } from 'preact'
import type { AddressReport } from '../api/wire.ts'
import { useDesk } from '../context.tsx'
import { Timeline } from '../events/timeline.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { Fields } from '../parts/fields.tsx'
import { Foreign } from '../parts/foreign.tsx'
import { Icon } from '../parts/icon.tsx'
import { Panel, Showing } from '../parts/panel.tsx'
import { Time } from '../parts/time.tsx'
import { useLoad } from '../parts/use-load.ts'
import { useStateFrom } from '../parts/use-state-from.ts'
import { Link } from '../router/link.tsx'
import { go, hrefOf, type Place } from '../router/location.ts'
import { UserName } from '../users/user-name.tsx'
import { isAddressOrNetwork, networkOf } from './network.ts'

export function AddressesPage({ place }: { readonly place: Place }): JSX.Element {
  const { text } = useLanguage()
  const ip = place.parts[1] ?? ''
  const [typed, setTyped] = useStateFrom(ip, String)
  const [invalid, setInvalid] = useStateFrom(ip, (shown) => shown !== '' && !isAddressOrNetwork(shown))
  return (
    <div class="stack">
      <div class="page-head">
        <h1>{text.app.addresses}</h1>
      </div>
      <form
        class="query-line"
        role="search"
        onSubmit={(event) => {
          event.preventDefault()
          const wanted = typed.trim()
          if (isAddressOrNetwork(wanted)) go(hrefOf({ parts: ['addresses', wanted] }))
          else setInvalid(true)
        }}
      >
        <Icon name="search" />
        <input
          class="query-input mono"
          aria-label={text.addresses.search}
          aria-invalid={invalid}
          placeholder="203.0.113.0/24"
          autocomplete="off"
          spellcheck={false}
          value={typed}
          onInput={(event) => {
            setTyped(event.currentTarget.value)
            setInvalid(false)
          }}
        />
        <button type="submit" class="button primary">
          {text.addresses.look}
        </button>
      </form>
      {invalid && (
        <p class="query-error" role="alert">
          {text.addresses.invalid}
        </p>
      )}
      {ip === '' && <p class="quiet">{text.addresses.about}</p>}
      {ip !== '' && isAddressOrNetwork(ip) && <Report key={ip} ip={ip} place={place} />}
    </div>
  )
}

function Report({ ip, place }: { readonly ip: string; readonly place: Place }): JSX.Element {
  const { text, format } = useLanguage()
  const { api } = useDesk()
  const report = useLoad(ip, (signal) => api.get<AddressReport>(`/addresses/${encodeURIComponent(ip)}`, {}, signal))
  const wider = networkOf(ip)
  return (
    <>
      <Panel
        title={ip}
        actions={
          wider !== null && (
            <Link parts={['addresses', wider]} class="button">
              {text.addresses.wider(wider)}
            </Link>
          )
        }
      >
        <Showing loaded={report}>
          {({ first_seen: first, last_seen: last, counts, complete }) => (
            <>
              {!complete && <p class="notice">{text.states.partial}</p>}
              <ul class="figures">
                {(['succeeded', 'failed', 'denied', 'refreshed'] as const).map((name) => (
                  <li key={name} class={`figure figure-${name}`}>
                    <span class="number large">{format.number(counts[name])}</span>
                    <span class="quiet">{text.addresses[name]}</span>
                  </li>
                ))}
              </ul>
              <Fields
                items={[
                  { name: text.addresses.firstSeen, value: first === null ? '–' : <Time at={first} /> },
                  { name: text.addresses.lastSeen, value: last === null ? '–' : <Time at={last} /> },
                ]}
              />
            </>
          )}
        </Showing>
      </Panel>
      {report.data !== null && <Users report={report.data} />}
      <Timeline operator="ip" value={ip} place={place} title={text.addresses.events} />
    </>
  )
}

function Users({ report }: { readonly report: AddressReport }): JSX.Element {
  const { text, format } = useLanguage()
  const { columns } = text.addresses
  return (
    <Panel title={text.addresses.users}>
      {report.users.length === 0 ? (
        <p class="quiet">{text.states.empty}</p>
      ) : (
        <div class="scroll-x" tabIndex={0} role="group" aria-label={text.addresses.users}>
          <table class="table">
            <thead>
              <tr>
                <th scope="col">{columns.user}</th>
                <th scope="col" class="right">
                  {columns.succeeded}
                </th>
                <th scope="col" class="right">
                  {columns.failed}
                </th>
                <th scope="col">{columns.lastSeen}</th>
              </tr>
            </thead>
            <tbody>
              {report.users.map((user) => (
                <tr key={user.user_id ?? user.identifier_mask}>
                  <td class="cell-wide">
                    {user.user_id === null ? (
                      <span class="quiet">
                        {text.addresses.nobody}{' '}
                        {user.identifier_mask !== null && <Foreign text={user.identifier_mask} most={80} />}
                      </span>
                    ) : (
                      <UserName id={user.user_id} />
                    )}
                  </td>
                  <td class="right number">{format.number(user.succeeded)}</td>
                  <td class="right number">{format.number(user.failed)}</td>
                  <td>
                    <Time at={user.last_seen} relative />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  )
}
