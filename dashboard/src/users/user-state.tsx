import type { JSX } from 'preact'
import type { UserItem } from '../api/wire.ts'
import { useLanguage } from '../i18n/language.tsx'

export function UserState({ user }: { readonly user: UserItem }): JSX.Element {
  const { text } = useLanguage()
  if (user.disabled_at !== null) return <span class="badge outcome-failure">{text.users.disabled}</span>
  if (user.identifier === null) return <span class="badge">{text.users.ofApplication}</span>
  return <span class="badge outcome-success">{text.users.active}</span>
}
