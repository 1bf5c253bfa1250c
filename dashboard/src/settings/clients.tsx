import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { ClientItem, NewClientItem, Page } from '../api/wire.ts'
import { useDesk } from '../context.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { Copy } from '../parts/copy.tsx'
import { Fields } from '../parts/fields.tsx'
import { Foreign } from '../parts/foreign.tsx'
import { Icon } from '../parts/icon.tsx'
import { Panel, Showing } from '../parts/panel.tsx'
import { Time } from '../parts/time.tsx'
import { useLoad } from '../parts/use-load.ts'
import { AddClient } from './add-client.tsx'

export function Clients(): JSX.Element {
  const { text } = useLanguage()
  const { api } = useDesk()
  const clients = useLoad('clients', (signal) => api.get<Page<ClientItem>>('/clients', { limit: 500 }, signal))
  const [asking, setAsking] = useState<'add' | ClientItem | null>(null)
  const [made, setMade] = useState<NewClientItem | null>(null)
  const { clientColumns: columns } = text.settings
  const close = (): void => setAsking(null)
  return (
    <Panel
      title={text.settings.clients}
      about={text.settings.clientsAbout}
      actions={
        <button type="button" class="button" onClick={() => setAsking('add')}>
          <Icon name="plus" />
          {text.settings.addClient}
        </button>
      }
    >
      {made !== null && (
        <div class="notice" role="status">
          <p>{made.secret === null ? text.settings.newPublic : text.settings.newSecret}</p>
          <Fields
            items={[
              { name: text.settings.clientId, value: <Secret value={made.id} what={text.settings.clientId} /> },
              made.secret === null
                ? null
                : {
                    name: text.settings.clientSecret,
                    value: <Secret value={made.secret} what={text.settings.clientSecret} />,
                  },
            ]}
          />
          <button type="button" class="button" onClick={() => setMade(null)}>
            {text.actions.close}
          </button>
        </div>
      )}
      <Showing loaded={clients}>
        {({ items }) =>
          items.length === 0 ? (
            <p class="quiet">{text.states.empty}</p>
          ) : (
            <div class="scroll-x" tabIndex={0} role="group" aria-label={text.settings.clients}>
              <table class="table">
                <thead>
                  <tr>
                    <th scope="col">{columns.name}</th>
                    <th scope="col">{columns.id}</th>
                    <th scope="col">{columns.state}</th>
                    <th scope="col">{columns.addresses}</th>
                    <th scope="col">{columns.created}</th>
                    <th scope="col">{columns.by}</th>
                    <th scope="col">
                      <span class="unseen">{text.settings.revoke}</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {items.map((client) => (
                    <tr key={client.id}>
                      <td class="cell-wide">
                        <Foreign text={client.name} most={80} />
                      </td>
                      <td class="mono">{client.id}</td>
                      <td>
                        <span class={`badge ${client.revoked_at === null ? 'outcome-success' : ''}`}>
                          {client.revoked_at === null ? text.settings.clientActive : text.settings.clientRevoked}
                        </span>
                      </td>
                      <td class="cell-wide">
                        {client.redirect_uris.map((uri) => (
                          <div key={uri} class="mono">
                            <Foreign text={uri} most={80} />
                          </div>
                        ))}
                        {client.public && <span class="quiet">{text.settings.clientIsPublic}</span>}
                      </td>
                      <td>
                        <Time at={client.created_at} />
                      </td>
                      <td>
                        <Foreign text={client.created_by} most={40} mono />
                      </td>
                      <td class="cell-end">
                        {client.revoked_at === null && (
                          <button
                            type="button"
                            class="button small-button danger-quiet"
                            onClick={() => setAsking(client)}
                          >
                            {text.settings.revoke}
                          </button>
                        )}
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </Showing>
      {asking === 'add' && (
        <AddClient
          onMade={(client) => {
            setMade(client)
            close()
            clients.reload()
          }}
          onClose={close}
        />
      )}
      {asking !== null && asking !== 'add' && (
        <Confirm
          title={text.settings.revokeClientAsk}
          about={text.settings.revokeClientAbout}
          action={text.settings.revoke}
          danger
          work={async () => {
            await api.send('DELETE', `/clients/${encodeURIComponent(asking.id)}`)
          }}
          onDone={() => {
            close()
            clients.reload()
          }}
          onClose={close}
        >
          <p>
            <Foreign text={asking.name} most={80} />
          </p>
        </Confirm>
      )}
    </Panel>
  )
}

function Secret({ value, what }: { readonly value: string; readonly what: string }): JSX.Element {
  return (
    <span class="with-copy">
      <code class="hash">{value}</code>
      <Copy value={value} what={what} />
    </span>
  )
}
