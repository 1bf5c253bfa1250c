import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { ErasurePreview, UserItem } from '../api/wire.ts'
import { useDesk } from '../context.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { showUnseen } from '../parts/foreign.tsx'
import { Showing } from '../parts/panel.tsx'
import { useLoad } from '../parts/use-load.ts'

interface EraseUserProps {
  readonly user: UserItem
  readonly onDone: () => void
  readonly onClose: () => void
}

/** Shows what would go, and wants the name of whoever goes typed. */
export function EraseUser({ user, onDone, onClose }: EraseUserProps): JSX.Element {
  const { text, format } = useLanguage()
  const { api } = useDesk()
  const [typed, setTyped] = useState('')
  const [reference, setReference] = useState('')
  const path = `/users/${encodeURIComponent(user.id)}/personal-data`
  const preview = useLoad(user.id, (signal) => api.get<ErasurePreview>(path, {}, signal))
  const word = user.identifier ?? user.id
  const held = (preview.data?.holds.length ?? 0) > 0
  const counts = Object.entries(text.user.eraseCounts) as [keyof typeof text.user.eraseCounts, string][]
  return (
    <Confirm
      title={text.user.eraseAsk}
      about={text.user.eraseAbout}
      action={text.user.eraseDo}
      danger
      disabled={![word, showUnseen(word)].includes(typed.trim()) || preview.data === null || held}
      work={async () => {
        await api.send('DELETE', path, undefined, { reference })
      }}
      onDone={onDone}
      onClose={onClose}
    >
      <h3>{text.user.erasePreview}</h3>
      <Showing loaded={preview}>
        {(found) => (
          <>
            <ul class="counts">
              {counts.map(([name, label]) => (
                <li key={name} data-count={name}>
                  <span class="number">{format.number(found[name])}</span> {label}
                </li>
              ))}
            </ul>
            {found.acts_on_others > 0 && (
              <p class="quiet">{text.user.actsOnOthers(format.number(found.acts_on_others))}</p>
            )}
            {held && (
              <p class="notice" role="alert">
                {text.user.held(found.holds.join(', '))}
              </p>
            )}
          </>
        )}
      </Showing>
      <label class="field">
        <span>{text.user.reference}</span>
        <input value={reference} onInput={(event) => setReference(event.currentTarget.value)} />
      </label>
      <label class="field">
        <span>{text.user.eraseConfirm(showUnseen(word))}</span>
        <input
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
      </label>
    </Confirm>
  )
}
