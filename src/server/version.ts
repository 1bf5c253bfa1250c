import { readFileSync } from 'node:fs'

/** Of the package; the file is as far away from `src/` as from `dist/`. */
export function readVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return manifest.version
}
