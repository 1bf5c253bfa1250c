import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/**
 * Test databases live on servers that other runs, and other people, use too. The name says who made it, so that a
 * later run can drop what a killed one left behind and nothing else:
 * `gatebook_test_<time, base 36 seconds>_<machine>_<pid of the run>_<random>`.
 */
const PREFIX = 'gatebook_test_'
const DAY_SECONDS = 86_400

function readOrEmpty(read: () => string): string {
  try {
    return read()
  } catch {
    return ''
  }
}

/** A pid means something only within one boot and one pid namespace, so both are part of the machine's mark. */
const MACHINE = createHash('sha256')
  .update(hostname())
  .update(readOrEmpty(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')))
  .update(readOrEmpty(() => readlinkSync('/proc/self/ns/pid')))
  .digest('hex')
  .slice(0, 6)

export function createDatabaseName(runPid: number): string {
  const seconds = Math.floor(Date.now() / 1000).toString(36)
  return `${PREFIX}${seconds}_${MACHINE}_${runPid}_${randomBytes(4).toString('hex')}`
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it exists and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** True for a database of our making that no living run can still be using. */
export function isStale(name: string): boolean {
  const match = /^gatebook_test_([0-9a-z]+)_([0-9a-f]{6})_(\d+)_[0-9a-f]{8}$/.exec(name)
  if (!match) return false
  const [, seconds = '', machine, pid] = match
  if (Date.now() / 1000 - Number.parseInt(seconds, 36) > DAY_SECONDS) return true
  return machine === MACHINE && !isAlive(Number(pid))
}

/** True for a database that this run made. */
export function isOfRun(name: string, runPid: number): boolean {
  return name.startsWith(PREFIX) && name.includes(`_${MACHINE}_${runPid}_`)
}
