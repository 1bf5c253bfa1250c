import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { useLanguage } from '../i18n/language.tsx'
import { Panel } from '../parts/panel.tsx'
import { keepTrustedKeys, useLogKeys } from './log-keys.ts'

/** A key from elsewhere, so that a server that lies about its key is found out. */
export function TrustedKey(): JSX.Element {
  const { text } = useLanguage()
  const known = useLogKeys()
  const [typed, setTyped] = useState(known.trusted ? known.texts.join(' ') : '')
  const [said, setSaid] = useState<'saved' | 'removed' | 'invalid' | null>(null)

  async function save(): Promise<void> {
    const keys = typed.split(/\s+/).filter((key) => key !== '')
    const { isVerifierKey } = await import('./check-signature.ts')
    if (!keys.every(isVerifierKey)) {
      setSaid('invalid')
      return
    }
    keepTrustedKeys(keys)
    setSaid(keys.length === 0 ? 'removed' : 'saved')
  }

  return (
    <Panel title={text.integrity.trusted} about={text.integrity.trustedAbout}>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault()
          void save()
        }}
      >
        <input
          class="mono grow"
          aria-label={text.integrity.trusted}
          aria-invalid={said === 'invalid'}
          placeholder="gatebook.example/log+1a2b3c4d+A…"
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          value={typed}
          onInput={(event) => {
            setTyped(event.currentTarget.value)
            setSaid(null)
          }}
        />
        <button type="submit" class="button">
          {text.actions.save}
        </button>
      </form>
      <p class="small" role="status">
        {said === 'saved' && text.integrity.trustedSaved}
        {said === 'removed' && text.integrity.trustedRemoved}
        {said === 'invalid' && text.integrity.trustedInvalid}
      </p>
    </Panel>
  )
}
