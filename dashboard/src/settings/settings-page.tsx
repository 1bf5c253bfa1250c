import type { JSX } from 'preact'
import { useLanguage } from '../i18n/language.tsx'
import type { Place } from '../router/location.ts'
import { Clients } from './clients.tsx'
import { Configuration } from './configuration.tsx'
import { Keys } from './keys.tsx'

export function SettingsPage({ place }: { readonly place: Place }): JSX.Element {
  const { text } = useLanguage()
  return (
    <div class="stack">
      <div class="page-head">
        <h1>{text.app.settings}</h1>
      </div>
      <Keys />
      <Clients />
      <Configuration place={place} />
    </div>
  )
}
