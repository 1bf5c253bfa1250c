import { useEffect, useState } from 'preact/hooks'

/** Public keys of the log, as text: a log that was given another key has several. */
export interface LogKeys {
  readonly texts: readonly string[]
  /** Whether somebody has entered them here; otherwise they are what the server says. */
  readonly trusted: boolean
}

const KEPT_AS = 'gatebook-log-keys'
const CHANGED = 'gatebook:log-keys'

let told: readonly string[] = []

/** What the server says of its keys, for where nobody has entered any. */
export function tellLogKeys(texts: readonly string[]): void {
  if (told.join('\n') === texts.join('\n')) return
  told = texts
  window.dispatchEvent(new Event(CHANGED))
}

/** None takes away what was entered before. */
export function keepTrustedKeys(texts: readonly string[]): void {
  try {
    if (texts.length === 0) localStorage.removeItem(KEPT_AS)
    else localStorage.setItem(KEPT_AS, texts.join('\n'))
  } catch {
    // Storage that is switched off: the keys of the server are all there are.
  }
  window.dispatchEvent(new Event(CHANGED))
}

export function readLogKeys(): LogKeys {
  let kept: string | null = null
  try {
    kept = localStorage.getItem(KEPT_AS)
  } catch {
    // As above.
  }
  return kept === null ? { texts: told, trusted: false } : { texts: kept.split('\n'), trusted: true }
}

export function useLogKeys(): LogKeys {
  const [keys, setKeys] = useState(readLogKeys)
  useEffect(() => {
    const follow = (): void => setKeys(readLogKeys())
    window.addEventListener(CHANGED, follow)
    // What has been told between the first look and now.
    follow()
    return () => window.removeEventListener(CHANGED, follow)
  }, [])
  return keys
}
