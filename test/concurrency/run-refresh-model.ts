import fc from 'fast-check'
import type { Engine } from '../support/engine.ts'
import { brokenHistories, type History, histories } from './refresh-histories.ts'
import { createRunner, type Tally } from './refresh-runner.ts'
import { type OpenWorld, openGateWorld, openServerWorld } from './refresh-worlds.ts'

export interface RefreshModelOptions {
  /** Two gates whose clock can be moved, or a server process that is killed and a gate beside it. */
  readonly processes: 'gates' | 'killed server'
  readonly histories: number
  /** The same seed makes the same histories; who comes first among parallel calls is not in it. */
  readonly seed: number
}

export interface RefreshModelReport {
  readonly tally: Tally
  /** A history that the model does not allow, made as short as it gets, with its seed and its story; or what is wrong with the log. */
  readonly problems: readonly string[]
}

/** To tell a failure by a shorter history. */
const SHRINK_ATTEMPTS = 60

const WORLDS: Readonly<
  Record<
    RefreshModelOptions['processes'],
    { readonly open: (engine: Engine) => Promise<OpenWorld>; readonly histories: fc.Arbitrary<History> }
  >
> = {
  gates: { open: openGateWorld, histories },
  'killed server': { open: openServerWorld, histories: brokenHistories },
}

/** Runs histories on one database, and holds all that they were answered and have left against the model. */
export async function runRefreshModel(engine: Engine, options: RefreshModelOptions): Promise<RefreshModelReport> {
  const { open, histories } = WORLDS[options.processes]
  const world = await open(engine)
  try {
    const runner = createRunner(world)
    let failed = false
    let attempts = SHRINK_ATTEMPTS
    const property = fc.asyncProperty(histories, async (history) => {
      if (failed && attempts-- <= 0) return
      await runner.run(history).catch((error: unknown) => {
        failed = true
        throw error
      })
    })
    const details = await fc.check(property, { seed: options.seed, numRuns: options.histories })
    if (details.failed) {
      const story = (details.errorInstance as Error | null)?.message
      return { tally: runner.tally, problems: [`${fc.defaultReportMessage(details)}\n${story}`] }
    }
    const problems = [...(await runner.findStrayEvents())]
    await world.expectAgreement().catch((error: unknown) => problems.push(String(error)))
    return { tally: runner.tally, problems }
  } finally {
    await world.close()
  }
}
