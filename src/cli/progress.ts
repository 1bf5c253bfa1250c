/** How far a long command is, for somebody who waits at a terminal. */
export interface Progress {
  show(done: number): void
  /** Leaves the line as it is, and goes to the next one. */
  end(): void
}

const REDRAW_MILLISECONDS = 200

/** `what`: what is counted, e.g. `entries`. On the standard error, when that is a terminal and `silent` is not set. */
export function createProgress(total: number, what: string, silent: boolean): Progress {
  const shown = process.stderr.isTTY === true && !silent
  const begun = performance.now()
  let drawnAt = Number.NEGATIVE_INFINITY
  let drawn = false
  return {
    show(done) {
      const now = performance.now()
      if (!shown || (now - drawnAt < REDRAW_MILLISECONDS && done < total)) return
      drawnAt = now
      drawn = true
      process.stderr.write(`\r\u001b[K${describeProgress(done, total, what, (now - begun) / 1000)}`)
    },
    end() {
      if (drawn) process.stderr.write('\n')
      drawn = false
    },
  }
}

/** `12000 of 70000 entries (17 %), 24000/s, 2 s left` */
export function describeProgress(done: number, total: number, what: string, seconds: number): string {
  const percent = total === 0 ? 100 : Math.floor((done / total) * 100)
  const rate = seconds > 0 ? done / seconds : 0
  const left = rate > 0 ? `, ${Math.round(rate)}/s, ${formatSeconds((total - done) / rate)} left` : ''
  return `${done} of ${total} ${what} (${percent} %)${left}`
}

function formatSeconds(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`
  return seconds < 5400 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`
}
