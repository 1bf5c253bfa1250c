import { type HeldSession, parseHeldSession } from './held-session.ts'

/** Everything that the client keeps in tokens mode; plain JSON. */
export interface StoredState {
  readonly session: HeldSession | null
  /** Presented at the next log-in, so that others cannot lock this device out. Outlives the session. */
  readonly deviceToken: string | null
}

/** Where tokens are kept. What it holds is as good as a password: it MUST be for one user of the client alone. */
export interface TokenStorage {
  /** What was saved last; null when nothing is there. */
  load(): StoredState | null | Promise<StoredState | null>
  save(state: StoredState): void | Promise<void>
  /** Forgets everything. */
  clear(): void | Promise<void>
  /**
   * A name for what is kept, where the other tabs of this origin see the same: those with the same name take turns to
   * refresh, and sign in and out together. Left out where each tab has a storage of its own.
   */
  readonly sharedAs?: string
}

/** For as long as the page or the process lives. */
export function memoryStorage(): TokenStorage {
  let kept: StoredState | null = null
  return {
    load: () => kept,
    save(state) {
      kept = state
    },
    clear() {
      kept = null
    },
  }
}

/** What is used of the `Storage` of a browser. */
export interface WebStorage {
  getItem(key: string): string | null
  setItem(key: string, value: string): void
  removeItem(key: string): void
}

/**
 * `webStorage(localStorage)` for all tabs of an origin, `webStorage(sessionStorage)` for one tab.
 *
 * **Every script on the page can read it**, also one that got there by a mistake in the application or in one of its packages
 * (XSS), and it can take the tokens away and use them elsewhere. In cookies mode no script can. Use this only where the
 * application and Gatebook cannot be on one origin.
 */
export function webStorage(storage: WebStorage, key = 'gatebook'): TokenStorage {
  const shared = storage === (globalThis as { localStorage?: unknown }).localStorage
  return {
    load: () => parseJson(storage.getItem(key)),
    save: (state) => storage.setItem(key, JSON.stringify(state)),
    clear: () => storage.removeItem(key),
    ...(shared && { sharedAs: key }),
  }
}

/** Null also for what is no JSON: whoever wrote it, it is not a state. */
function parseJson(text: string | null): StoredState | null {
  try {
    return JSON.parse(text ?? 'null') as StoredState | null
  } catch {
    return null
  }
}

const NOTHING: StoredState = { session: null, deviceToken: null }

/** What a storage has returned. Something else than a state, e.g. of another version, counts as nothing. */
export function parseStoredState(value: unknown): StoredState {
  if (typeof value !== 'object' || value === null) return NOTHING
  const { session, deviceToken } = value as Partial<Record<keyof StoredState, unknown>>
  const held = parseHeldSession(session)
  return {
    session: held === null || held.tokens === null ? null : held,
    deviceToken: typeof deviceToken === 'string' && deviceToken !== '' ? deviceToken : null,
  }
}
