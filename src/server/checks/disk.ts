import { existsSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Check } from '../check.ts'
import { parseDatabaseAddress } from '../database-url.ts'

const MEBIBYTE = 2 ** 20

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
    return [{ code, figures: { free_mebibytes: mebibytes } }]
  },
}
