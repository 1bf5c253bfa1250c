import { setTimeout as sleep } from 'node:timers/promises'
import type { DatabaseSignals } from '../dialect.ts'
import type { PostgresPool } from './postgres.ts'

const RETRY_MILLISECONDS = 2000

/**
 * NOTIFY and LISTEN. Sent by itself and never inside a transaction that writes: PostgreSQL commits transactions that notify one
 * after the other. Without a URL nobody listens: a connection of the application's pool is not ours to keep.
 */
export function postgresSignals(pool: PostgresPool, url: string | null, types: object): DatabaseSignals {
  return {
    async send(channel) {
      const client = await pool.connect()
      let broken = true
      try {
        const query = { text: "select pg_notify($1, '')", values: [channel], types, query_timeout: 5000 }
        await client.query(query as Parameters<typeof client.query>[0])
        broken = false
      } finally {
        client.release(broken)
      }
    },
    listen: url === null ? null : (channel, onSignal) => listen(url, channel, onSignal),
  }
}

function listen(url: string, channel: string, onSignal: () => void): () => Promise<void> {
  const stopping = new AbortController()
  const listening = (async () => {
    while (!stopping.signal.aborted) {
      await listenOnce(url, channel, onSignal, stopping.signal).catch(() => {})
      // Many processes lose their connections in one moment.
      const pause = RETRY_MILLISECONDS * (0.5 + Math.random())
      await sleep(pause, undefined, { ref: false, signal: stopping.signal }).catch(() => {})
    }
  })()
  return async () => {
    stopping.abort()
    await listening
  }
}

/** Settles when the connection is over. */
async function listenOnce(url: string, channel: string, onSignal: () => void, signal: AbortSignal): Promise<void> {
  const { default: pg } = await import('pg')
  // Whoever listens to a signal that was given hears nothing.
  if (signal.aborted) return
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000, keepAlive: true })
  let finish = (): void => {}
  const over = new Promise<void>((resolve) => {
    finish = resolve
  })
  client.on('error', finish)
  client.on('end', finish)
  signal.addEventListener('abort', finish, { once: true })
  client.on('notification', onSignal)
  try {
    await client.connect()
    // Waiting for news is no reason for a process to live on.
    keeping(client).unref()
    await client.query(`listen ${client.escapeIdentifier(channel)}`)
    onSignal()
    await over
  } finally {
    signal.removeEventListener('abort', finish)
    keeping(client).ref()
    await client.end().catch(() => {})
  }
}

/** Members that the types of `pg` lack. */
function keeping(client: object): { ref(): void; unref(): void } {
  return client as { ref(): void; unref(): void }
}
