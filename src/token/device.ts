import type { MasterSecret } from '../secret/master-secret.ts'
import { type DeviceId, decodeIdBytes, encodeIdBytes, ID_PREFIXES, isId } from '../util/id.ts'
import { createBearerSecret } from './bearer-secret.ts'

/** Device tokens `gbd_…`: bound to the user, so that one user's device is nothing to another user. */
export interface DeviceTokens {
  issue(deviceId: DeviceId, userId: string): string
  /** Null for anything that was not issued to this user. */
  open(token: string, userId: string): DeviceId | null
}

export function createDeviceTokens(secret: MasterSecret): DeviceTokens {
  const tokens = createBearerSecret(secret, 'device-token', 'gbd_')
  return {
    issue: (deviceId, userId) => tokens.issue(decodeIdBytes(deviceId.slice(ID_PREFIXES.device.length)), userId),
    open(token, userId) {
      const content = tokens.open(token, userId)
      if (content === null || content.length !== 16) return null
      const deviceId = ID_PREFIXES.device + encodeIdBytes(content)
      return isId('device', deviceId) ? deviceId : null
    },
  }
}
