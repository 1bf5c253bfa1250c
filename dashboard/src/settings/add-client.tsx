import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { NewClientItem } from '../api/wire.ts'
import { useDesk } from '../context.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { Confirm } from '../parts/confirm.tsx'

/** For a program that asks about tokens, or, with addresses, an application that users are handed over to. */
export function AddClient({
  onMade,
  onClose,
}: {
  readonly onMade: (client: NewClientItem) => void
  readonly onClose: () => void
}): JSX.Element {
  const { text } = useLanguage()
  const { api } = useDesk()
  const [name, setName] = useState('')
  const [addresses, setAddresses] = useState('')
  const [isPublic, setPublic] = useState(false)
  const redirectUris = addresses.split(/\s+/).filter((each) => each !== '')
  let answer: NewClientItem | null = null
  return (
    <Confirm
      title={text.settings.addClient}
      about={text.settings.clientsAbout}
      action={text.settings.addClient}
      disabled={name.trim() === '' || (isPublic && redirectUris.length === 0)}
      work={async () => {
        answer = await api.send<NewClientItem>('POST', '/clients', {
          name: name.trim(),
          ...(redirectUris.length > 0 && { redirect_uris: redirectUris }),
          ...(isPublic && { public: true }),
        })
      }}
      onDone={() => {
        if (answer !== null) onMade(answer)
      }}
      onClose={onClose}
    >
      <label class="field">
        <span>{text.settings.clientName}</span>
        <input value={name} onInput={(event) => setName(event.currentTarget.value)} />
      </label>
      <label class="field">
        <span>{text.settings.clientAddresses}</span>
        <textarea
          rows={3}
          value={addresses}
          spellcheck={false}
          placeholder="https://shop.example/signed-in"
          onInput={(event) => setAddresses(event.currentTarget.value)}
        />
      </label>
      <label class="check">
        <input type="checkbox" checked={isPublic} onInput={(event) => setPublic(event.currentTarget.checked)} />
        <span>{text.settings.clientPublic}</span>
      </label>
    </Confirm>
  )
}
