import { existsSync } from 'node:fs'
import { stat, statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Check } from '../check.ts'
import { parseDatabaseAddress } from '../database-url.ts'

const MEBIBYTE = 2 ** 20
const LARGE_WAL = 256 * MEBIBYTE

export const disk: Check = {
  name: 'disk',
  async run({ config }) {
    const { engine, target } = parseDatabaseAddress(config.database.value as string)
    if (engine !== 'sqlite' || target === ':memory:') return [{ code: 'disk-unseen' }]
    const folder = dirname(resolve(target))
    if (!existsSync(folder)) return []
    const { bavail, bsize } = await statfs(folder)
    const mebibytes = Math.floor((bavail * bsize) / MEBIBYTE)
    const code = mebibytes < 50 ? 'disk-full' : mebibytes < 1024 ? 'disk-low' : 'disk-ok'
    const wal = await sizeOf(`${resolve(target)}-wal`)
    return [
      { code, figures: { free_mebibytes: mebibytes } },
      ...(wal > LARGE_WAL ? [{ code: 'wal-large', figures: { mebibytes: Math.floor(wal / MEBIBYTE) } } as const] : []),
    ]
  },
}

/** Bytes; 0 for a file that is not there. */
async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  )
}
