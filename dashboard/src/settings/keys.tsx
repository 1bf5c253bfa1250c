import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { KeyItem } from '../api/wire.ts'
import { useDesk } from '../context.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { Panel, Showing } from '../parts/panel.tsx'
import { Time } from '../parts/time.tsx'
import { useLoad } from '../parts/use-load.ts'

const BADGES: Readonly<Record<KeyItem['state'], string>> = {
  pending: '',
  active: 'outcome-success',
  retiring: 'outcome-denied',
  retired: '',
  revoked: 'outcome-failure',
}

export function Keys(): JSX.Element {
  const { text } = useLanguage()
  const { api } = useDesk()
  const keys = useLoad('keys', (signal) => api.get<{ items: readonly KeyItem[] }>('/keys', {}, signal))
  const [asking, setAsking] = useState<'rotate' | KeyItem | null>(null)
  const [said, setSaid] = useState('')
  const { keyColumns: columns } = text.settings
  let made = ''
  const close = (): void => setAsking(null)
  return (
    <Panel
      title={text.settings.keys}
      about={text.settings.keysAbout}
      actions={
        <button type="button" class="button" onClick={() => setAsking('rotate')}>
          {text.settings.rotate}
        </button>
      }
    >
      <p class={said === '' ? 'unseen' : 'notice'} role="status">
        {said}
      </p>
      <Showing loaded={keys}>
        {({ items }) => (
          <div class="scroll-x" tabIndex={0} role="group" aria-label={text.settings.keys}>
            <table class="table">
              <thead>
                <tr>
                  <th scope="col">{columns.id}</th>
                  <th scope="col">{columns.algorithm}</th>
                  <th scope="col">{columns.state}</th>
                  <th scope="col">{columns.created}</th>
                  <th scope="col">
                    <span class="unseen">{text.settings.revoke}</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {items.map((key) => (
                  <tr key={key.id}>
                    <td class="mono">{key.id}</td>
                    <td>{key.algorithm}</td>
                    <td>
                      <span class={`badge ${BADGES[key.state]}`}>{text.settings.keyStates[key.state]}</span>
                    </td>
                    <td>
                      <Time at={key.created_at} />
                    </td>
                    <td class="cell-end">
                      {key.ended_at === null && (
                        <button type="button" class="button small-button danger-quiet" onClick={() => setAsking(key)}>
                          {text.settings.revoke}
                        </button>
                      )}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Showing>
      {asking === 'rotate' && (
        <Confirm
          title={text.settings.rotateAsk}
          about={text.settings.rotateAbout}
          action={text.settings.rotate}
          work={async () => {
            made = (await api.send<KeyItem>('POST', '/keys/rotate')).id
          }}
          onDone={() => {
            setSaid(text.settings.rotated(made))
            close()
            keys.reload()
          }}
          onClose={close}
        />
      )}
      {asking !== null && asking !== 'rotate' && (
        <Confirm
          title={text.settings.revokeKeyAsk}
          about={text.settings.revokeKeyAbout}
          action={text.settings.revoke}
          danger
          work={async () => {
            await api.send('POST', `/keys/${encodeURIComponent(asking.id)}/revoke`)
          }}
          onDone={() => {
            close()
            keys.reload()
          }}
          onClose={close}
        >
          <p class="mono">{asking.id}</p>
        </Confirm>
      )}
    </Panel>
  )
}
