import type { Kysely } from 'kysely'
import { computeLeafHash } from '../../src/proof/hash.ts'
import { computeRoot, EMPTY_FRONTIER, extendFrontier } from '../../src/proof/tree.ts'
import type { Tables } from '../../src/store/tables.ts'
import type { Seen } from './storm.ts'

/** Compares the log with what writers have committed and with every checkpoint that was seen; the problems are those of `seen` and what is found. */
export async function checkStorm(db: Kysely<Tables>, seen: Seen): Promise<{ events: number; problems: string[] }> {
  const events = await db.selectFrom('gatebook_event').select('id').execute()
  const queue = await db.selectFrom('gatebook_queue').select('event_id').execute()
  const entries = await db
    .selectFrom('gatebook_entry')
    .select(['log_index', 'event_id', 'leaf', 'leaf_hash'])
    .orderBy('log_index')
    .execute()
  const problems = [...seen.problems]
  const expect = (holds: boolean, problem: string): void => void (holds || problems.push(problem))

  const times = new Map<string, number>()
  for (const { event_id: id } of entries) times.set(id, (times.get(id) ?? 0) + 1)
  // What a process was killed over, between its commit and its word, has its row all the same.
  for (const { id } of events) expect(times.get(id) === 1, `event ${id} is ${times.get(id) ?? 0} times in the log`)
  for (const id of seen.committed) expect(times.get(id) === 1, `${id} was committed; in the log: ${times.get(id) ?? 0}`)
  for (const id of seen.rolledBack) expect(!times.has(id), `${id} was rolled back, and is in the log`)
  expect(times.size === events.length, `${times.size} entries for ${events.length} events`)
  expect(queue.length === 0, `${queue.length} events were left in the queue`)

  const roots = new Map<number, string>()
  let frontier = EMPTY_FRONTIER
  const note = (): void => void roots.set(frontier.size, Buffer.from(computeRoot(frontier)).toString('hex'))
  note()
  for (const [place, { log_index: index, leaf, leaf_hash: hash }] of entries.entries()) {
    expect(Number(index) === place, `entry ${index} stands at place ${place}`)
    expect(Buffer.from(computeLeafHash(leaf)).equals(hash), `entry ${index} is not what its hash is of`)
    frontier = extendFrontier(frontier, [hash])
    note()
  }
  for (const [size, root] of seen.roots)
    expect(roots.get(size) === root, `the checkpoint over ${size} is not of the tree over the entries`)
  expect(seen.roots.has(entries.length), `nothing was signed over all ${entries.length} entries`)
  return { events: events.length, problems }
}
