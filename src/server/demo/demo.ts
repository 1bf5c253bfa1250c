import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GatebookError } from '../../errors.ts'
import { createGatebook } from '../../gatebook.ts'
import { OPTIONS } from '../../options.ts'
import { systemClock } from '../../util/clock.ts'
import type { Config } from '../config.ts'
import { parseDatabaseUrl } from '../database-url.ts'
import { DAY, DEMO_ADMIN, playWeek } from './week.ts'

/** Where the demonstration lives. It goes with the server. */
export interface Demo {
  /** Settings in place of those of an installation. */
  readonly flags: Readonly<Record<'database' | 'secretFile' | 'logKeyFile' | 'logGuard', string>>
  readonly admin: { readonly identifier: string; readonly password: string }
  remove(): void
}

/** What belongs to an installation of somebody's own, which a demonstration must not touch. */
const OWN = ['database', 'secret', 'secretFile', 'logKey', 'logKeyFile', 'logGuard'] as const

/** Throws ERR_OPTION_INVALID beside the settings of an installation, and in production. */
export function refuseDemo(config: Config, production: boolean): void {
  const given = OWN.map((name) => config[name]).find(({ source }) => source !== 'default')
  if (given !== undefined) {
    throw new GatebookError('ERR_OPTION_INVALID', {
      detail: `--demo and ${given.name} are both there: the demonstration has a database of its own, which is deleted at the end.`,
    })
  }
  if (production) {
    throw new GatebookError('ERR_OPTION_INVALID', { detail: '--demo is not for NODE_ENV=production.' })
  }
}

export function createDemo(): Demo {
  const folder = mkdtempSync(join(tmpdir(), 'gatebook-demo-'))
  return {
    flags: {
      database: `sqlite:${join(folder, 'gatebook.db')}`,
      secretFile: join(folder, 'gatebook.secret'),
      logKeyFile: join(folder, 'gatebook.log-key'),
      logGuard: join(folder, 'gatebook.log-guard'),
    },
    // Whoever else is on this machine does not know it.
    admin: { identifier: DEMO_ADMIN, password: `demo-${randomBytes(9).toString('base64url')}` },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** The flows of the product over a clock that goes through the last seven days. */
export async function fillDemo(demo: Demo): Promise<void> {
  const end = systemClock.now()
  const begin = end - 7 * DAY
  let now = begin
  const least = (name: 'argon2MemoryKib' | 'argon2Iterations' | 'argon2Parallelism') => OPTIONS[name].range![0]
  const { database, ...files } = demo.flags
  const gate = await createGatebook({
    ...files,
    issuer: 'http://localhost:4280',
    database: parseDatabaseUrl(database),
    // A clock that leaps ahead of the signer makes every event late. What fails throws, and the server that follows looks for itself.
    diagnostics: { debug() {}, info() {}, warn() {}, error() {} },
    clock: { now: () => now },
    argon2MemoryKib: least('argon2MemoryKib'),
    argon2Iterations: least('argon2Iterations'),
    argon2Parallelism: least('argon2Parallelism'),
  })
  try {
    await playWeek({
      gate,
      adminPassword: demo.admin.password,
      goTo(at) {
        now = Math.max(now, begin + at)
      },
    })
  } finally {
    await gate.close()
  }
}
