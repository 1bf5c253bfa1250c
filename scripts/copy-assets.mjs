// Copies what the compiler leaves behind. Without it the published package finds no list of common passwords.
// Usage: copy-assets.mjs [from] [to], by default src and dist.

import { copyFileSync, mkdirSync, readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const [from = join(root, 'src'), to = join(root, 'dist')] = process.argv.slice(2)

for (const path of readdirSync(from, { recursive: true, withFileTypes: true })) {
  if (!path.isFile() || /\.[cm]?ts$/.test(path.name)) continue
  const file = join(path.parentPath, path.name)
  const copy = join(to, relative(from, file))
  mkdirSync(dirname(copy), { recursive: true })
  copyFileSync(file, copy)
}
