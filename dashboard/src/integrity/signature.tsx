import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { useLanguage } from '../i18n/language.tsx'
import { Icon } from '../parts/icon.tsx'
import { useLogKeys } from './log-keys.ts'

type SignatureState = 'good' | 'bad' | 'unknown'

/** Whether the note is signed by a key that is known here, computed here. */
export function Signature({ note }: { readonly note: string }): JSX.Element {
  const { text } = useLanguage()
  const { texts, trusted } = useLogKeys()
  const [state, setState] = useState<SignatureState>('unknown')
  const keys = texts.join('\n')
  useEffect(() => {
    if (keys === '') return setState('unknown')
    let stale = false
    void import('./check-signature.ts').then(({ isSignedBy }) => {
      if (!stale) setState(isSignedBy(note, keys.split('\n')) ? 'good' : 'bad')
    })
    return () => {
      stale = true
    }
  }, [note, keys])
  const said = {
    good: text.integrity.signatureGood,
    bad: text.integrity.signatureBad,
    unknown: text.integrity.signatureUnknown,
  }
  return (
    <div>
      <p class={`verdict verdict-${state}`} data-signature={state}>
        <Icon name={state === 'good' ? 'check' : state === 'bad' ? 'cross' : 'dash'} />
        {said[state]}
      </p>
      {state !== 'unknown' && (
        <p class="quiet small">{trusted ? text.integrity.byTrustedKey : text.integrity.byToldKey}</p>
      )}
    </div>
  )
}
