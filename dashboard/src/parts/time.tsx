import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { useLanguage } from '../i18n/language.tsx'

/** An instant as the language writes it, with how long ago that is. */
export function Time({ at, relative = false }: { readonly at: number; readonly relative?: boolean }): JSX.Element {
  const { format } = useLanguage()
  const now = useNow(relative)
  const iso = new Date(at).toISOString()
  return (
    <time dateTime={iso} title={relative ? format.exact(at) : format.relative(at, now)} class="number">
      {relative ? format.relative(at, now) : format.instant(at)}
    </time>
  )
}

/** The time, anew every few seconds where somebody looks at it. */
export function useNow(ticking: boolean): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    if (!ticking) return
    const timer = setInterval(() => setNow(Date.now()), 10_000)
    return () => clearInterval(timer)
  }, [ticking])
  return now
}
