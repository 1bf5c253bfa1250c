/**
 * Work that is done together: what arrives for a lane while its last batch is under way makes up the next batch. Nothing
 * waits for others to arrive, and lanes do not wait for each other.
 *
 * `run` answers each item at its place; when it throws, so does every item of the batch.
 */
export function createLanes<Item, Result>(
  limit: number,
  run: (items: readonly Item[]) => Promise<readonly Result[]>,
): (lane: string, item: Item) => Promise<Result> {
  interface Waiting {
    readonly item: Item
    readonly resolve: (result: Result) => void
    readonly reject: (error: unknown) => void
  }
  /** Of each lane that has a batch under way. */
  const lanes = new Map<string, Waiting[]>()

  async function work(lane: string, line: Waiting[]): Promise<void> {
    while (line.length > 0) {
      const batch = line.splice(0, limit)
      try {
        const results = await run(batch.map(({ item }) => item))
        batch.forEach(({ resolve }, place) => {
          resolve(results[place]!)
        })
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    lanes.delete(lane)
  }

  return (lane, item) =>
    new Promise((resolve, reject) => {
      const line = lanes.get(lane)
      const waiting = { item, resolve, reject }
      if (line !== undefined) {
        line.push(waiting)
        return
      }
      const own = [waiting]
      lanes.set(lane, own)
      void work(lane, own)
    })
}
