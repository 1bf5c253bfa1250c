import { AsyncResource } from 'node:async_hooks'
import type { DatabaseSignals } from './dialect.ts'

/** Tells the other processes on this database that there is something new to read. */
export interface Announcer {
  /** Soon, by itself; many within a moment are one. */
  announce(): void
  /** Waits for what is under way. */
  stop(): Promise<void>
}

const TOGETHER_MILLISECONDS = 10

export function createAnnouncer(signals: DatabaseSignals | null, channel: string): Announcer {
  let timer: NodeJS.Timeout | undefined
  let sending: Promise<void> = Promise.resolve()
  // It belongs to no request, whichever one caused it.
  const send = AsyncResource.bind(() => {
    timer = undefined
    sending = sending.then(() => signals?.send(channel)).catch(() => {})
  })
  return {
    announce() {
      if (signals !== null) timer ??= setTimeout(send, TOGETHER_MILLISECONDS)
    },
    async stop() {
      if (timer !== undefined) {
        clearTimeout(timer)
        send()
      }
      await sending
    },
  }
}
