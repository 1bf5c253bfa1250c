import { type Client, createClient, isClientError, memoryStorage } from '../../../src/client/index.ts'
import type { Surroundings } from '../surroundings.ts'

export interface Admin {
  readonly userId: string
  readonly sessionId: string
}

/** `forbidden`: signed in, and not as an admin. */
export type Standing =
  | { readonly kind: 'looking' }
  | { readonly kind: 'signed-out'; readonly reason: string | null }
  | { readonly kind: 'forbidden'; readonly userId: string }
  | { readonly kind: 'admin'; readonly admin: Admin }
  | { readonly kind: 'unreachable'; readonly error: unknown }

export interface DashboardSession {
  client(): Client
  /** Whether a reload of the page has to sign in again: where tokens are in memory, and nowhere else. */
  readonly lasts: boolean
  standing(): Standing
  watch(listener: () => void): () => void
  /** Throws ClientError. */
  signIn(identifier: string, password: string): Promise<void>
  signOut(): Promise<void>
  /** Asks the server again. */
  look(): Promise<void>
}

/**
 * Signs in through Gatebook, as any page does. The tokens are in cookies that no script sees or, where the server has these
 * off or the browser would not keep them, in the memory of this page.
 */
export function createDashboardSession({ cookies }: Surroundings): DashboardSession {
  const lasts = cookies === 'plain' || (cookies === 'secure' && window.isSecureContext)
  let standing: Standing = { kind: 'looking' }
  const listeners = new Set<() => void>()
  const client = createClient({
    ...(lasts ? { mode: 'cookies' } : { mode: 'tokens', storage: memoryStorage() }),
    onChange(state) {
      if (state.status === 'signed-out' && standing.kind !== 'looking')
        become({ kind: 'signed-out', reason: state.reason })
      // Another tab has signed in.
      else if (state.status === 'signed-in' && standing.kind === 'signed-out') void look()
    },
  })

  function become(next: Standing): void {
    standing = next
    for (const listener of listeners) listener()
  }

  async function look(): Promise<void> {
    try {
      const me = await client.me()
      if (me.roles.includes('admin')) become({ kind: 'admin', admin: { userId: me.userId, sessionId: me.sessionId } })
      else become({ kind: 'forbidden', userId: me.userId })
    } catch (error) {
      const out = isClientError(error) && (error.status === 401 || error.code === 'ERR_SIGNED_OUT')
      if (out) noteSignedIn(false)
      become(out ? { kind: 'signed-out', reason: error.reason } : { kind: 'unreachable', error })
    }
  }

  /**
   * Without a cookie the client would also try to refresh, and each refusal stands in the log. So it is asked once, plainly,
   * unless somebody has signed in here before.
   */
  async function lookAtFirst(): Promise<void> {
    if (!wasSignedIn()) {
      const answer = await fetch('/auth/me', { credentials: 'same-origin' }).catch(() => null)
      if (answer?.status === 401) return become({ kind: 'signed-out', reason: null })
    }
    await look()
  }

  if (lasts) void lookAtFirst()
  else standing = { kind: 'signed-out', reason: null }

  return {
    client: () => client,
    lasts,
    standing: () => standing,
    watch(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async signIn(identifier, password) {
      await client.login({ identifier, password })
      noteSignedIn(true)
      await look()
    },
    async signOut() {
      await client.logout()
      noteSignedIn(false)
      become({ kind: 'signed-out', reason: null })
    },
    look,
  }
}

const NOTED_AS = 'gatebook-signed-in'

/** Not a token, and nothing that follows from one: whether it is worth asking. */
function noteSignedIn(is: boolean): void {
  try {
    if (is) localStorage.setItem(NOTED_AS, '1')
    else localStorage.removeItem(NOTED_AS)
  } catch {
    // Storage that is switched off: then it is asked plainly.
  }
}

function wasSignedIn(): boolean {
  try {
    return localStorage.getItem(NOTED_AS) !== null
  } catch {
    return false
  }
}
