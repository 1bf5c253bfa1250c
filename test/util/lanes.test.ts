import { expect, test } from 'vitest'
import { createLanes } from '../../src/util/lanes.ts'

interface Run {
  readonly items: readonly string[]
  readonly finish: (error?: Error) => void
}

/** Lanes whose batches end when the test says so. */
function openLanes(limit: number): {
  readonly runs: Run[]
  readonly add: (lane: string, item: string) => Promise<string>
} {
  const runs: Run[] = []
  const add = createLanes<string, string>(
    limit,
    (items) =>
      new Promise((resolve, reject) => {
        const finish = (error?: Error): void =>
          error === undefined ? resolve(items.map((item) => item.toUpperCase())) : reject(error)
        runs.push({ items, finish })
      }),
  )
  return { runs, add }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('the first of a lane starts at once; what comes meanwhile makes up the next batches', async () => {
  const { runs, add } = openLanes(2)
  const answers = ['a', 'b', 'c', 'd'].map((item) => add('lane', item))
  expect(runs.map(({ items }) => items)).toEqual([['a']])
  runs[0]!.finish()
  await turn()
  expect(runs.map(({ items }) => items)).toEqual([['a'], ['b', 'c']])
  runs[1]!.finish()
  await turn()
  runs[2]!.finish()
  expect(await Promise.all(answers)).toEqual(['A', 'B', 'C', 'D'])
  expect(runs.map(({ items }) => items)).toEqual([['a'], ['b', 'c'], ['d']])
})

test('lanes do not wait for each other', async () => {
  const { runs, add } = openLanes(2)
  void add('one', 'a')
  const other = add('two', 'b')
  expect(runs.map(({ items }) => items)).toEqual([['a'], ['b']])
  runs[1]!.finish()
  expect(await other).toBe('B')
})

test('a batch that fails fails for its items, and the lane goes on', async () => {
  const { runs, add } = openLanes(2)
  const first = add('lane', 'a')
  const second = add('lane', 'b')
  runs[0]!.finish(new Error('no database'))
  await expect(first).rejects.toThrow('no database')
  runs[1]!.finish()
  expect(await second).toBe('B')
  const third = add('lane', 'c')
  runs[2]!.finish()
  expect(await third).toBe('C')
})
