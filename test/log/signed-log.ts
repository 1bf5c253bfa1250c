import { readFile } from 'node:fs/promises'
import { expect } from 'vitest'
import { type LogKey, parseLogKey } from '../../src/log/log-key.ts'
import { type Checkpoint, openCheckpoint } from '../../src/proof/checkpoint.ts'
import { computeLeafHash } from '../../src/proof/hash.ts'
import { computeRoot, EMPTY_FRONTIER, extendFrontier } from '../../src/proof/tree.ts'
import { type TestGate, until } from '../support/gate.ts'
import { guardOf, LOG_KEY } from '../support/log-signing.ts'

export const KEY: LogKey = parseLogKey(LOG_KEY, 'logKey')

/** A checkpoint that the key of the tests has signed. */
export function openTestCheckpoint(note: string, epoch = 1): Checkpoint {
  return openCheckpoint(note, KEY.policy(epoch)).checkpoint
}

export async function readGuard(on: TestGate, epoch = 1): Promise<Checkpoint> {
  return openTestCheckpoint(await readFile(guardOf(on.database.url), 'utf8'), epoch)
}

export async function readSize(on: TestGate): Promise<number> {
  const { size } = await on.direct.kysely.selectFrom('gatebook_log_state').select('size').executeTakeFirstOrThrow()
  return Number(size)
}

/** Waits until everything that was committed is signed; the size of the log then. */
export async function untilSigned(on: TestGate, epoch = 1): Promise<number> {
  return until('everything is signed', async () => {
    const waiting = await on.direct.kysely
      .selectFrom('gatebook_queue')
      .select('number')
      .where('rejected_at', 'is', null)
      .executeTakeFirst()
    const size = await readSize(on)
    return waiting === undefined && (await readGuard(on, epoch)).size === size && size
  })
}

/** The roots of the entries that are there, by size. */
export async function computeRoots(on: TestGate): Promise<Map<number, string>> {
  const rows = await on.direct.kysely
    .selectFrom('gatebook_entry')
    .select(['log_index', 'leaf', 'leaf_hash'])
    .orderBy('log_index')
    .execute()
  const roots = new Map<number, string>()
  let frontier = EMPTY_FRONTIER
  for (const [at, { log_index: index, leaf, leaf_hash: hash }] of rows.entries()) {
    expect(Number(index)).toBe(at)
    expect(Buffer.from(hash)).toEqual(Buffer.from(computeLeafHash(leaf)))
    frontier = extendFrontier(frontier, [hash])
    roots.set(frontier.size, Buffer.from(computeRoot(frontier)).toString('hex'))
  }
  return roots
}

/** Every checkpoint in the database, and the guard, is of the tree over the entries. */
export async function expectSigned(on: TestGate, epoch = 1): Promise<void> {
  const size = await untilSigned(on, epoch)
  const roots = await computeRoots(on)
  expect(roots.size).toBe(size)
  const rows = await until('the database has the checkpoint', async () => {
    const found = await on.direct.kysely.selectFrom('gatebook_checkpoint').selectAll().orderBy('size').execute()
    return Number(found.at(-1)?.size) === size && found
  })
  for (const { note, epoch: of } of rows) {
    const checkpoint = openTestCheckpoint(note, Number(of))
    expect(Buffer.from(checkpoint.rootHash).toString('hex')).toBe(roots.get(checkpoint.size))
  }
  const guard = await readGuard(on, epoch)
  expect(Buffer.from(guard.rootHash).toString('hex')).toBe(roots.get(guard.size))
}

export async function append(on: TestGate, count: number): Promise<string[]> {
  const ids: string[] = []
  for (let at = 0; at < count; at++) ids.push(await on.gate.log.append({ type: 'app.written', data: { at } }))
  return ids
}
