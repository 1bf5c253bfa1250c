import { type HeldSession, parseHeldSession } from './held-session.ts'
import type { Surroundings } from './surroundings.ts'

/** What tabs tell each other. Never a token: those who share a storage find them there. */
export type TabMessage =
  | { readonly kind: 'session'; readonly session: HeldSession }
  /** Of the session with this id; null when the tab that signed out did not know it. */
  | { readonly kind: 'ended'; readonly sessionId: string | null; readonly reason: string | null }

export interface TabChannel {
  send(message: TabMessage): void
  close(): void
}

/** Opens the channel of this name; where there is none, nobody is told and nothing is heard. */
export function openTabChannel(
  openChannel: Surroundings['openChannel'],
  name: string,
  onMessage: (message: TabMessage) => void,
): TabChannel {
  if (openChannel === null) return { send() {}, close() {} }
  const port = openChannel(name)
  port.onmessage = ({ data }) => {
    const message = parseTabMessage(data)
    if (message !== null) onMessage(message)
  }
  return {
    send(message) {
      port.postMessage(
        message.kind === 'session' ? { ...message, session: { ...message.session, tokens: null } } : message,
      )
    },
    close() {
      port.onmessage = null
      port.close()
    },
  }
}

/** A tab that was opened before an update of the application may say something else. */
function parseTabMessage(data: unknown): TabMessage | null {
  const { kind, session, sessionId, reason } = Object(data)
  if (kind === 'session') {
    const held = parseHeldSession(session)
    return held === null ? null : { kind, session: { ...held, tokens: null } }
  }
  return kind === 'ended' && isTextOrNull(sessionId) && isTextOrNull(reason) ? { kind, sessionId, reason } : null
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string'
}
