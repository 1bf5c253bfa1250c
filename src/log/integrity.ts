import type { AnchorHealth, LogIntegrity, LogStatus } from '../api.ts'
import { isGatebookError } from '../errors.ts'
import type { Settings } from '../options.ts'
import { parseNote } from '../proof/note.ts'
import type { Store } from '../store/store.ts'
import { listNewestPublished } from './checkpoint-row.ts'
import type { LogFiles } from './log-files.ts'
import type { LogKeys } from './log-keys.ts'
import type { EventReader } from './reader.ts'
import { orTampered } from './tampered.ts'

const PUBLISHED_SHOWN = 20

export interface IntegrityParts {
  readonly store: Store
  readonly settings: Pick<Settings, 'anchors'>
  readonly files: Pick<LogFiles, 'head'>
  readonly keys: LogKeys
  readonly reader: Pick<EventReader, 'search'>
  readonly status: () => LogStatus
}

/** All that is known of the record, for whoever has to know whether it is intact; it reads no entries. */
export async function readIntegrity({
  store,
  settings,
  files,
  keys,
  reader,
  status,
}: IntegrityParts): Promise<LogIntegrity> {
  const { items } = await reader.search({ type: 'log.audited' }, { limit: 1 })
  const known = { status: status(), lastAudit: items[0] ?? null }
  try {
    const head = await files.head()
    const { signed } = head
    return {
      ...known,
      problem: null,
      size: head.size,
      pruned: head.pruned,
      signed,
      published: await listPublished(store, keys),
      anchors: tellAnchors(settings, known.status, head.anchors),
      verifierKeys: head.verifierKeys,
    }
  } catch (error) {
    // Whoever looks here wants to be told, and not to be refused.
    if (!isGatebookError(error, 'ERR_LOG_TAMPERED')) throw error
    const problem = { code: error.code, detail: error.detail ?? error.message }
    const anchors = tellAnchors(settings, known.status, [])
    return { ...known, problem, size: null, pruned: null, signed: null, published: [], anchors, verifierKeys: [] }
  }
}

/** Newest first. Throws ERR_LOG_TAMPERED for one that the log has not signed. */
async function listPublished(store: Store, keys: LogKeys): Promise<LogIntegrity['published']> {
  const rows = await listNewestPublished(store, PUBLISHED_SHOWN)
  const published: LogIntegrity['published'][number][] = []
  for (const row of rows) {
    const { origin } = await orTampered(`the checkpoint of size ${row.size}`, () => keys.open(row))
    const names = parseNote(row.note).signatures.map(({ name }) => name)
    const witnesses = [...new Set(names)].filter((name) => name !== origin)
    published.push({ epoch: row.epoch, size: row.size, signedAt: row.signed_at, witnesses })
  }
  return published
}

/** What this process knows of those that it has; and of others what the database says. */
function tellAnchors(
  { anchors }: Pick<Settings, 'anchors'>,
  { anchors: states }: LogStatus,
  heads: readonly {
    readonly name: string
    readonly size: number | null
    readonly anchoredAt: number | null
    readonly failure: string | null
  }[],
): readonly AnchorHealth[] {
  const kinds = new Map(anchors.map((anchor) => [anchor.name, 'put' in anchor ? 'custom' : anchor.kind] as const))
  const own = states.map(({ name, state, size, anchoredAt, failure }) => ({ name, state, size, anchoredAt, failure }))
  const others = heads
    .filter(({ name }) => !own.some((each) => each.name === name))
    .map(({ name, size, anchoredAt, failure }) => ({ name, state: null, size: size ?? 0, anchoredAt, failure }))
  return [...own, ...others].map(({ name, state, size, anchoredAt, failure }) => ({
    name,
    kind: kinds.get(name) ?? null,
    state,
    size,
    lastSuccessAt: anchoredAt,
    lastError: failure,
  }))
}
