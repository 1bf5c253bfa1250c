import { GatebookError } from '../../errors.ts'
import { decodeUtf8 } from '../../util/bytes.ts'
import { isOn, type RouteSettings } from '../paths.ts'
import { defineRoute, type Route } from '../route.ts'
import { logFileSchema } from '../schema.ts'

/** A mirror asks again soon; whoever asks more often than that would get the same one. */
const CHECKPOINT_SECONDS = 2
const FOR_EVER = 'max-age=31536000, immutable'

/** The log as C2SP tlog-tiles has it, under what was published: a mirror, a monitor or an auditor needs nothing else. */
export function logRoutes({ logPath, logPublic }: RouteSettings): readonly Route[] {
  if (!isOn(logPath)) return []
  const auth = logPublic ? 'none' : 'admin'
  const cache = logPublic ? 'public' : 'private'
  return [
    defineRoute({
      name: 'logCheckpoint',
      method: 'GET',
      path: `${logPath}/checkpoint`,
      summary: 'The newest published checkpoint of the log, a signed note (C2SP tlog-checkpoint).',
      auth,
      responses: { 200: logFileSchema },
      types: ['text/plain'],
      errors: ['ERR_LOG_UNPUBLISHED', 'ERR_LOG_TAMPERED'],
      async handle({ gate }) {
        const note = await gate.log.file('checkpoint')
        if (note === null) throw new GatebookError('ERR_LOG_UNPUBLISHED')
        return {
          status: 200,
          text: decodeUtf8(note),
          headers: { 'Cache-Control': `${cache}, max-age=${CHECKPOINT_SECONDS}` },
        }
      },
    }),
    defineRoute({
      name: 'logTile',
      method: 'GET',
      path: `${logPath}/tile/{path}`,
      rest: true,
      summary:
        'Hashes of the tree (`LEVEL/INDEX`) or entries (`entries/INDEX`), as far as the newest published checkpoint covers them (C2SP tlog-tiles).',
      auth,
      responses: { 200: logFileSchema },
      types: ['application/octet-stream'],
      errors: ['ERR_TILE_NOT_FOUND', 'ERR_LOG_TAMPERED'],
      async handle({ gate, params: { path = '' } }) {
        const bytes = await gate.log.file(`tile/${path}`)
        if (bytes === null) throw new GatebookError('ERR_TILE_NOT_FOUND')
        // A partial one too: what it holds follows from its width, which is part of its name.
        return { status: 200, bytes, headers: { 'Cache-Control': `${cache}, ${FOR_EVER}` } }
      },
    }),
  ]
}
