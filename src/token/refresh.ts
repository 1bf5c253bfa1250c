import type { MasterSecret } from '../secret/master-secret.ts'
import { concatBytes } from '../util/bytes.ts'
import { decodeIdBytes, encodeIdBytes, ID_PREFIXES, isId, type SessionId } from '../util/id.ts'
import { createBearerSecret } from './bearer-secret.ts'

export interface RefreshTokenContent {
  readonly sessionId: SessionId
  readonly counter: number
}

/** Refresh tokens `gbr_…`: session and counter. No row is kept, so that the successor can be handed out once more. */
export interface RefreshTokens {
  issue(content: RefreshTokenContent): string
  /** Null for anything that this installation never issued. */
  open(token: string): RefreshTokenContent | null
}

export function createRefreshTokens(secret: MasterSecret): RefreshTokens {
  const tokens = createBearerSecret(secret, 'refresh-token', 'gbr_')
  return {
    issue({ sessionId, counter }) {
      const count = Buffer.alloc(4)
      count.writeUInt32BE(counter)
      return tokens.issue(concatBytes(decodeIdBytes(sessionId.slice(ID_PREFIXES.session.length)), count))
    },
    open(token) {
      const content = tokens.open(token)
      if (content === null || content.length !== 20) return null
      const sessionId = ID_PREFIXES.session + encodeIdBytes(content.subarray(0, 16))
      return isId('session', sessionId) ? { sessionId, counter: Buffer.from(content).readUInt32BE(16) } : null
    },
  }
}
