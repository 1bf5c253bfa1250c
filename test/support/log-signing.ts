import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Known to everybody who can read this. */
export const LOG_KEY = 'PRIVATE+KEY+app.example/log-test+289323d5+AS/hp3QxAzkJTU9pJHHrBs0G5GEssyiZ0DNUZ+N16dUv'

/** In memory where the machine has such a folder: a guard waits for its disk twice with each batch, and hundreds of gates share one here. */
const FOLDER = join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'gatebook-guards')

/** The same for every process on this database. */
export function guardOf(url: string): string {
  mkdirSync(FOLDER, { recursive: true })
  const name = url.startsWith('sqlite:')
    ? createHash('sha256').update(url).digest('hex')
    : new URL(url).pathname.slice(1)
  return join(FOLDER, name)
}

/** Removes what is left of it when the database is dropped. */
export function removeGuard(url: string): void {
  for (const path of [guardOf(url), `${guardOf(url)}.lock`]) rmSync(path, { force: true })
}

/** Options with which a gate on a test database signs. */
export function signingOf(url: string): { readonly logKey: string; readonly logGuard: string } {
  return { logKey: LOG_KEY, logGuard: guardOf(url) }
}

/** The same for a server or a command. */
export function signingEnvironment(url: string): Record<string, string> {
  return { GATEBOOK_LOG_KEY: LOG_KEY, GATEBOOK_LOG_GUARD: guardOf(url) }
}
