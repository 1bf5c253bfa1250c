import type { LogKeeper } from './log-keeper.ts'

/** A process that has left no event itself looks at the queue this much more rarely: for what others have left there who do not sign. */
const IDLE_TICKS = 2

/** When the signer is asked to look: not at once after each commit, so that many events share one transaction, signature and disk wait. */
export interface SigningTurns {
  /** This process has left an event. */
  noteAppended(): void
  /** At each interval; true when there is more than one turn takes. */
  tick(): Promise<boolean>
}

export function createSigningTurns(keeper: Pick<LogKeeper, 'turn' | 'status'>): SigningTurns {
  let appended = true
  let ticks = 0
  return {
    noteAppended() {
      appended = true
    },
    async tick() {
      if (!appended && ++ticks % IDLE_TICKS !== 0) return false
      appended = false
      try {
        const before = keeper.status().signed?.size
        const result = await keeper.turn()
        // Where one event came, also out of another process, the next one is near; and what is more than one turn takes is there already.
        appended ||= result !== 'done' || keeper.status().signed?.size !== before
        return result === 'more'
      } catch (error) {
        appended = true
        throw error
      }
    },
  }
}
