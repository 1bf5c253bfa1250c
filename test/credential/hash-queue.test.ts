import { afterEach, describe, expect, test, vi } from 'vitest'
import { createHashQueue, defaultHashConcurrency, type HashQueue } from '../../src/credential/hash-queue.ts'
import { GatebookError, isGatebookError } from '../../src/errors.ts'

/** Work that ends when the test says so. */
function createWork(): {
  started: boolean
  run: () => Promise<string>
  finish: (value: string) => void
  fail: (error: Error) => void
} {
  const { promise, resolve, reject } = defer<string>()
  const work = {
    started: false,
    run: () => {
      work.started = true
      return promise
    },
    finish: resolve,
    fail: reject,
  }
  return work
}

function defer<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: Error) => void } {
  let resolve!: (value: T) => void
  let reject!: (error: Error) => void
  const promise = new Promise<T>((res, rej) => {
    resolve = res
    reject = rej
  })
  return { promise, resolve, reject }
}

/** Lets every promise that can settle now do so. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function refusal(queue: HashQueue): GatebookError {
  try {
    queue.reserve()
  } catch (error) {
    if (error instanceof GatebookError) return error
    throw error
  }
  throw new Error('a place was given')
}

describe('concurrency', () => {
  test('runs exactly as many at once as it may, and the rest in the order of their coming', async () => {
    const queue = createHashQueue({ concurrency: 2, limit: 10 })
    const works = Array.from({ length: 5 }, createWork)
    const order: number[] = []
    const results = works.map((work, index) =>
      queue.reserve().run(() => {
        order.push(index)
        return work.run()
      }),
    )
    await settle()
    expect(order).toEqual([0, 1])
    expect(queue.stats()).toEqual({ running: 2, waiting: 3, refused: 0 })

    works[1]?.finish('one')
    await settle()
    expect(order).toEqual([0, 1, 2])
    expect(queue.stats()).toEqual({ running: 2, waiting: 2, refused: 0 })

    works[2]?.finish('two')
    works[0]?.finish('zero')
    await settle()
    expect(order).toEqual([0, 1, 2, 3, 4])

    works[4]?.finish('four')
    works[3]?.finish('three')
    expect(await Promise.all(results)).toEqual(['zero', 'one', 'two', 'three', 'four'])
    expect(queue.stats()).toEqual({ running: 0, waiting: 0, refused: 0 })
  })

  test('never exceeds the concurrency with hundreds coming and going', async () => {
    const queue = createHashQueue({ concurrency: 3, limit: 500 })
    let now = 0
    let most = 0
    await Promise.all(
      Array.from({ length: 300 }, async (_, index) => {
        const slot = queue.reserve()
        for (let turn = 0; turn < index % 7; turn += 1) await settle()
        await slot.run(async () => {
          now += 1
          most = Math.max(most, now)
          expect(queue.stats().running).toBeGreaterThanOrEqual(now)
          expect(queue.stats().running).toBeLessThanOrEqual(3)
          for (let turn = 0; turn < index % 5; turn += 1) await settle()
          now -= 1
        })
      }),
    )
    expect(most).toBe(3)
    expect(queue.stats()).toEqual({ running: 0, waiting: 0, refused: 0 })
  })

  test('a newcomer does not overtake the one whose turn has come', async () => {
    const queue = createHashQueue({ concurrency: 1, limit: 10 })
    const order: string[] = []
    const first = queue.reserve().run(async () => void order.push('first'))
    const second = queue.reserve().run(async () => void order.push('second'))
    // Comes in the very tick in which the first gives its turn back.
    await first.then(() => queue.reserve().run(async () => void order.push('newcomer')))
    await second
    expect(order).toEqual(['first', 'second', 'newcomer'])
  })

  test('one that has reserved and is not ready holds nobody up', async () => {
    const queue = createHashQueue({ concurrency: 1, limit: 1 })
    const atTheDatabase = queue.reserve()
    expect(await queue.reserve().run(() => 'ready')).toBe('ready')
    expect(await atTheDatabase.run(() => 'later')).toBe('later')
  })
})

describe('limit', () => {
  test('refuses synchronously when the line is full, and takes again when one has left', async () => {
    const queue = createHashQueue({ concurrency: 1, limit: 2 })
    const works = Array.from({ length: 3 }, createWork)
    const results = works.map((work) => queue.reserve().run(work.run))
    expect(refusal(queue).code).toBe('ERR_OVERLOADED')
    expect(refusal(queue).status).toBe(503)
    expect(queue.stats()).toEqual({ running: 1, waiting: 2, refused: 2 })

    works[0]?.finish('')
    await results[0]
    queue.reserve().release()
    for (const work of works) work.finish('')
    await Promise.all(results)
    expect(queue.stats()).toEqual({ running: 0, waiting: 0, refused: 2 })
  })

  test('counts places that are reserved and not yet run', () => {
    const queue = createHashQueue({ concurrency: 1, limit: 1 })
    queue.reserve()
    queue.reserve()
    expect(queue.stats()).toEqual({ running: 0, waiting: 2, refused: 0 })
    expect(refusal(queue).code).toBe('ERR_OVERLOADED')
  })

  test('of 0 takes what can be computed at once and no more', async () => {
    const queue = createHashQueue({ concurrency: 1, limit: 0 })
    const slot = queue.reserve()
    expect(refusal(queue).code).toBe('ERR_OVERLOADED')
    await slot.run(() => undefined)
    queue.reserve()
  })
})

describe('a slot', () => {
  test('is given back once, however often it is released', () => {
    const queue = createHashQueue({ concurrency: 1, limit: 1 })
    const kept = queue.reserve()
    const slot = queue.reserve()
    slot.release()
    slot.release()
    expect(queue.stats().waiting).toBe(1)
    queue.reserve()
    expect(refusal(queue).code).toBe('ERR_OVERLOADED')
    kept.release()
    expect(queue.stats().waiting).toBe(1)
  })

  test('released while it waits or runs keeps its place until its work is done', async () => {
    const queue = createHashQueue({ concurrency: 1, limit: 1 })
    const works = [createWork(), createWork()]
    const slots = works.map(() => queue.reserve())
    const results = slots.map((slot, index) => slot.run(works[index]?.run ?? (() => '')))
    for (const slot of slots) slot.release()
    expect(queue.stats()).toEqual({ running: 1, waiting: 1, refused: 0 })
    for (const work of works) work.finish('done')
    expect(await Promise.all(results)).toEqual(['done', 'done'])
    for (const slot of slots) slot.release()
    expect(queue.stats()).toEqual({ running: 0, waiting: 0, refused: 0 })
  })

  test('is given back when its work rejects, and the next one gets its turn', async () => {
    const queue = createHashQueue({ concurrency: 1, limit: 1 })
    const work = createWork()
    const failing = queue.reserve().run(work.run)
    const next = queue.reserve().run(() => 'next')
    work.fail(new Error('out of memory'))
    await expect(failing).rejects.toThrow('out of memory')
    expect(await next).toBe('next')
    expect(queue.stats()).toEqual({ running: 0, waiting: 0, refused: 0 })
  })

  test('is given back when its work throws before it returns a promise', async () => {
    const queue = createHashQueue({ concurrency: 1, limit: 0 })
    const failing = queue.reserve().run(() => {
      throw new Error('at once')
    })
    await expect(failing).rejects.toThrow('at once')
    expect(queue.stats()).toEqual({ running: 0, waiting: 0, refused: 0 })
    expect(await queue.reserve().run(() => 'again')).toBe('again')
  })

  test('does not run twice, nor after its release', async () => {
    const queue = createHashQueue({ concurrency: 2, limit: 2 })
    const work = vi.fn()
    const used = queue.reserve()
    await used.run(work)
    await expect(used.run(work)).rejects.toThrow('runs once')
    const released = queue.reserve()
    released.release()
    await expect(released.run(work)).rejects.toThrow('runs once')
    expect(work).toHaveBeenCalledTimes(1)
    expect(queue.stats()).toEqual({ running: 0, waiting: 0, refused: 0 })
  })
})

describe('retryAfterSeconds', () => {
  test('is at least 1', () => {
    const queue = createHashQueue({ concurrency: 1, limit: 0 })
    queue.reserve()
    expect(refusal(queue).retryAfterSeconds).toBe(1)
  })

  test.each([
    { concurrency: 1, limit: 9, seconds: 20 },
    { concurrency: 2, limit: 8, seconds: 10 },
    { concurrency: 1, limit: 2, seconds: 6 },
  ])('is the line times the run time: $limit behind $concurrency at 2 s', async ({ concurrency, limit, seconds }) => {
    let clock = 0
    const queue = createHashQueue({ concurrency, limit, now: () => clock })
    // Enough runs of 2 s for the moving average to have forgotten where it began.
    for (let run = 0; run < 200; run += 1) {
      await queue.reserve().run(() => {
        clock += 2000
      })
    }
    for (let place = 0; place < concurrency + limit; place += 1) queue.reserve()
    expect(refusal(queue).retryAfterSeconds).toBe(seconds)
  })
})

describe('defaultHashConcurrency', () => {
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  test.each([
    { cores: 1, poolThreads: 4, expected: 1 },
    { cores: 2, poolThreads: 4, expected: 1 },
    { cores: 4, poolThreads: 4, expected: 3 },
    { cores: 16, poolThreads: 4, expected: 3 },
    { cores: 16, poolThreads: 12, expected: 11 },
    { cores: 16, poolThreads: 64, expected: 15 },
    { cores: 16, poolThreads: 1, expected: 1 },
  ])('of $cores cores and $poolThreads threads is $expected', ({ cores, poolThreads, expected }) => {
    expect(defaultHashConcurrency({ cores, poolThreads })).toBe(expected)
  })

  test.each([
    [undefined, 3],
    ['8', 7],
    ['1', 1],
    ['0', 1],
    ['many', 1],
    ['9999', 1023],
  ])('reads UV_THREADPOOL_SIZE=%s as libuv does', (value, expected) => {
    vi.stubEnv('UV_THREADPOOL_SIZE', value)
    expect(defaultHashConcurrency({ cores: 5000 })).toBe(expected)
  })
})

test.each([
  { concurrency: 0, limit: 1 },
  { concurrency: 1.5, limit: 1 },
  { concurrency: 1, limit: -1 },
  { concurrency: 1, limit: Number.NaN },
])('refuses %o as options', (options) => {
  expect(() => createHashQueue(options)).toThrow(
    expect.toSatisfy((error) => isGatebookError(error, 'ERR_OPTION_INVALID')),
  )
})
