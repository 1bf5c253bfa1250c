import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { useLanguage } from '../i18n/language.tsx'
import { Icon } from './icon.tsx'

export function Copy({ value, what }: { readonly value: string; readonly what: string }): JSX.Element {
  const { text } = useLanguage()
  const [done, setDone] = useState(false)
  useEffect(() => {
    if (!done) return
    const timer = setTimeout(() => setDone(false), 1500)
    return () => clearTimeout(timer)
  }, [done])
  return (
    <button
      type="button"
      class="copy"
      aria-label={done ? text.actions.copied : `${text.actions.copy}: ${what}`}
      title={done ? text.actions.copied : text.actions.copy}
      onClick={() =>
        void navigator.clipboard.writeText(value).then(
          () => setDone(true),
          () => undefined,
        )
      }
    >
      <Icon name={done ? 'check' : 'copy'} />
    </button>
  )
}
