import type { Gatebook } from '../../src/api.ts'
import { parseSigningKey, type SigningKey } from '../../src/proof/note-key.ts'
import { type TestGate, until } from '../support/gate.ts'
import { LOG_KEY } from '../support/log-signing.ts'

/** The key that the gates of the tests sign with. */
export const KEY: SigningKey = parseSigningKey(LOG_KEY)

/** For tens of thousands of them. */
const PATIENCE = 100_000

/** Waits until a signed checkpoint covers every event that was committed. */
export async function allSigned({ gate, direct }: Pick<TestGate, 'gate' | 'direct'>): Promise<number> {
  await gate.log.flush()
  const covered = async (): Promise<number | null> => {
    const waiting = await direct.kysely
      .selectFrom('gatebook_queue')
      .select('event_id')
      .where('rejected_at', 'is', null)
      .executeTakeFirst()
    if (waiting !== undefined) return null
    const { signed, size } = await gate.log.checkpoint()
    return signed?.size === size ? size : null
  }
  return until('every event is under a signed checkpoint', covered, PATIENCE)
}

/** The same, and the checkpoint is published. */
export async function allPublished(on: Pick<TestGate, 'gate' | 'direct' | 'clock'>): Promise<number> {
  await allSigned(on)
  on.clock.advance(120_000)
  return until('the newest checkpoint is published', async () => publishedSize(on.gate))
}

async function publishedSize(gate: Gatebook): Promise<number | null> {
  const { published, size } = await gate.log.checkpoint()
  return published?.size === size ? size : null
}
