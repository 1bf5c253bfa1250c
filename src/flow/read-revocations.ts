/** What a verifier elsewhere has not read yet of the revoked sessions. Leaves no event. */
import type { Gatebook, RevocationPage } from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { RevocationFeed } from '../token/revocation-feed.ts'

const WAIT_MOST_SECONDS = 30

export async function readRevocations(
  feed: RevocationFeed,
  { after, waitSeconds = 0, signal }: Parameters<Gatebook['revocations']['read']>[0] = {},
): Promise<RevocationPage> {
  if (!(waitSeconds >= 0 && waitSeconds <= WAIT_MOST_SECONDS)) {
    throw new GatebookError('ERR_ARGUMENT_INVALID', { detail: `waitSeconds: it must be 0 to ${WAIT_MOST_SECONDS}.` })
  }
  const { entries, ...page } = await feed.read(after, waitSeconds * 1000, signal)
  return {
    ...page,
    entries: entries.map(({ sessionId, ended, generation, reason, forgetAt }) => ({
      sessionId,
      kind: ended ? 'ended' : 'stale',
      generation,
      reason,
      forgetAt,
    })),
  }
}
