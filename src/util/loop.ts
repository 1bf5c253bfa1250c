/** Work that is repeated while a process lives. */
export interface Loop {
  /** Runs as soon as possible instead of after the interval. */
  poke(): void
  /** Waits for the run that is under way; nothing runs afterwards. */
  stop(): Promise<void>
}

/**
 * Runs `work` again and again, never twice at once, `interval` milliseconds after the last run has ended. `work` may
 * return true when there is more to do at once. A failure goes to `onError`, and the loop goes on. Keeps no process alive.
 */
export function startLoop(interval: number, work: () => Promise<unknown>, onError: (error: unknown) => void): Loop {
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let again = false
  let stopped = false

  function schedule(delay: number): void {
    if (stopped) return
    clearTimeout(timer)
    timer = setTimeout(start, delay)
    timer.unref()
  }

  function start(): void {
    again = false
    running = run().finally(() => {
      running = undefined
      schedule(again ? 0 : interval)
    })
  }

  async function run(): Promise<void> {
    try {
      if ((await work()) === true) again = true
    } catch (error) {
      onError(error)
    }
  }

  schedule(interval)
  return {
    poke() {
      if (running === undefined) schedule(0)
      else again = true
    },
    async stop() {
      stopped = true
      clearTimeout(timer)
      await running
    },
  }
}
