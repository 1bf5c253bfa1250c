import type { JSX } from 'preact'
import { useLanguage } from '../i18n/language.tsx'
import { Icon } from './icon.tsx'

const ICONS = { success: 'check', failure: 'cross', denied: 'dash' } as const

export function Outcome({ outcome }: { readonly outcome: string }): JSX.Element {
  const { text } = useLanguage()
  const known = outcome in ICONS ? (outcome as keyof typeof ICONS) : 'denied'
  return (
    <span class={`badge outcome-${known}`}>
      <Icon name={ICONS[known]} />
      {text.outcomes[known]}
    </span>
  )
}
