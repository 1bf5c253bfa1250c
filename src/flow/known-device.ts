import type { RequestContext } from '../api.ts'
import type { DeviceId } from '../util/id.ts'
import type { FlowParts } from './parts.ts'

/** The device that the request shows a token of, where this user has logged in from it before; else null. */
export async function findKnownDevice(
  { store, deviceTokens }: FlowParts,
  context: RequestContext,
  userId: string | null,
): Promise<DeviceId | null> {
  if (context.deviceToken === undefined || userId === null) return null
  const deviceId = deviceTokens.open(context.deviceToken, userId)
  if (deviceId === null) return null
  const row = await store.read((db) =>
    db
      .selectFrom('gatebook_device')
      .select('id')
      .where('id', '=', deviceId)
      .where('subject_id', '=', userId)
      .executeTakeFirst(),
  )
  return row === undefined ? null : deviceId
}
