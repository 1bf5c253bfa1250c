import type { Gatebook, RequestContext } from '../api.ts'
import { exportTiles } from '../log/exported/export-tiles.ts'
import type { LogDirectory } from '../log/exported/log-directory.ts'
import type { Clock } from '../util/clock.ts'
import { formatTarFile, TAR_END } from './tar.ts'

/** A client that takes nothing for so long holds a place that another one could have. */
const STALL_MILLISECONDS = 60_000

/**
 * What `gatebook log export` writes into an empty folder, as an archive, file by file as it is read; what fails on the way breaks it off
 * without its end, so that nobody takes it for whole. `onEnd` is called in any case.
 */
export function createLogArchive(
  log: Gatebook['log'],
  { context, clock, onEnd }: { readonly context: RequestContext; readonly clock: Clock; readonly onEnd: () => void },
): ReadableStream<Uint8Array> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>(
    undefined,
    { highWaterMark: 1 },
    { highWaterMark: 0 },
  )
  const writer = writable.getWriter()
  const write = async (bytes: Uint8Array): Promise<void> => {
    let timer: NodeJS.Timeout | undefined
    const stalled = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('the client has stopped reading')), STALL_MILLISECONDS)
      timer.unref()
    })
    await Promise.race([writer.write(bytes), stalled]).finally(() => clearTimeout(timer))
  }
  const archive: LogDirectory = {
    read: async () => null,
    write: (name, bytes) => write(formatTarFile(`gatebook-log/${name}`, bytes, clock.now())),
    async remove() {},
    async *list() {},
  }
  void exportTiles(log, archive, { context })
    .then(async () => {
      await write(TAR_END)
      await writer.close()
    })
    .catch((error: unknown) => writer.abort(error).catch(() => undefined))
    .finally(onEnd)
  return readable
}
