import type { AuditFinding, AuditProgress, AuditStep, AuditSummary } from '../../api.ts'
import { GatebookError } from '../../errors.ts'
import { createTreeBuilder, decodeFrontier, encodeFrontier, type TreeBuilder } from '../../proof/tree.ts'
import type { Store } from '../../store/store.ts'
import { decodeBase64, encodeBase64 } from '../../util/base64.ts'
import { type EntryRow, type MacCheck, readEntries } from '../entry-walk.ts'
import { createKeptProofs } from '../kept-proof.ts'
import { readFirstIndex, readPrunedSize } from '../pruned.ts'
import { createTreeReader } from '../tree-reader.ts'
import type { AuditState } from './audit-state.ts'
import { begin, type Given, openGuardNote, readGiven } from './begin.ts'
import { type CheckpointCheck, createCheckpointCheck, reportMisfits } from './checkpoint-check.ts'
import { createCheckpointStream } from './checkpoint-stream.ts'
import { type CheckedEntry, checkEntry } from './entry-check.ts'
import { readEvents, type StoredEvent } from './event-check.ts'
import { createEventWalk, type EventWalk, type PendingErasures } from './event-walk.ts'
import { createExplanations, type Explanations } from './explanations.ts'
import { checkIds } from './id-check.ts'
import type { LogVerifier } from './log-verifier.ts'
import { checkQueue } from './queue-check.ts'
import { count, createReport, type Report } from './report.ts'
import { readResumeFile, removeResumeFile, writeResumeFile } from './resume-file.ts'
import { createTileCheck, type TileCheck } from './tile-check.ts'

export interface AuditParts {
  readonly store: Store
  readonly isGenuine: MacCheck
  /** Null where there is no key: then no checkpoint is looked at. */
  readonly verifier: LogVerifier | null
  /** What the verifier was made of. */
  readonly vkeys: readonly string[]
  readonly keyFrom: 'caller' | 'settings' | 'database' | null
  /** Files with signed notes. */
  readonly files: readonly string[]
  /** The note of the guard; null when there is none here. */
  readonly readGuardNote: () => Promise<string | null>
  readonly resumeFile?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** What erasures that are not finished have taken so far. */
  readonly readPending?: () => Promise<PendingErasures>
  /** Compares the rows of other tables with the log. */
  readonly reconcile?: (
    explanations: Pick<Explanations, 'explainAbsence'>,
  ) => AsyncIterable<AuditFinding | { readonly kind: 'checked'; readonly rows: number }>
}

/** Between two states that are written to the resume file. */
const SAVE_MILLISECONDS = 2000

/**
 * Re-reads the log and says what does not fit: entries, tree, checkpoints, tiles, events, queue. It reads in batches by key and
 * holds nothing that grows with the log. It fixes at the beginning how far it reads; what comes meanwhile is left to the next one,
 * and what changes meanwhile is looked at again before it is reported.
 *
 * 1  entries, in order: hash, form, id, MAC; the tree over them; the root at the size of each checkpoint; tiles; the events
 * 2  the ids of events and entries, side by side
 * 3  the queue
 *
 * Ends without a summary when the signal is aborted. Throws ERR_AUDIT_INPUT, ERR_FILE, and what the database throws.
 */
export async function* audit(parts: AuditParts): AsyncGenerator<AuditStep, void, void> {
  const given = await readGiven(parts)
  const known = parts.resumeFile === undefined ? null : await readKnown(parts, parts.resumeFile, given.inputs)
  const run = known === null ? await beginRun(parts, given) : resumeRun(parts, given, known)
  const { state, report } = run
  if (known !== null) yield* state.kept
  yield* report.take()
  let saved = performance.now()
  for await (const progress of walk(run)) {
    yield* report.take()
    if (progress === null) continue
    yield progress
    const isDue = performance.now() - saved > SAVE_MILLISECONDS
    const isAborted = parts.signal?.aborted === true
    if (parts.resumeFile !== undefined && (isDue || isAborted)) {
      await save(parts.resumeFile, run)
      saved = performance.now()
    }
    if (isAborted) return
  }
  yield* report.take()
  if (parts.reconcile !== undefined) {
    let rows = 0
    for await (const step of parts.reconcile(run.explanations)) {
      if (step.kind === 'finding') {
        count(state, step)
        yield step
        continue
      }
      rows += step.rows
      yield { kind: 'progress', phase: 'rows', done: rows, total: null }
      if (parts.signal?.aborted === true) return
    }
  }
  if (parts.resumeFile !== undefined) await removeResumeFile(parts.resumeFile)
  yield summarise(run)
}

/** Null where there is nothing to go on from: no file, or the entries that come next were pruned meanwhile. */
async function readKnown({ store }: AuditParts, file: string, inputs: string): Promise<AuditState | null> {
  const known = await readResumeFile(file, inputs)
  if (known?.phase !== 'entries' || known.next >= (await readPrunedSize(store.read))) return known
  return null
}

interface Run {
  readonly parts: AuditParts
  readonly state: AuditState
  readonly report: Report
  readonly builder: TreeBuilder
  readonly tiles: TileCheck
  readonly checkpoints: CheckpointCheck
  readonly explanations: Explanations
  readonly events: EventWalk
  readonly begunAt: number
  readonly milliseconds: number
}

async function beginRun(parts: AuditParts, given: Given): Promise<Run> {
  const { state, early } = await begin(parts, given)
  const report = createReport(state)
  for (const [code, detail] of early) report.add(code, detail)
  if (parts.keyFrom === 'database') report.add('key-from-database', '')
  return createRun(parts, given, state, report)
}

function resumeRun(parts: AuditParts, given: Given, state: AuditState): Run {
  return createRun(parts, given, state, createReport(state))
}

function createRun(parts: AuditParts, { heads }: Given, state: AuditState, report: Report): Run {
  const { store, verifier, isGenuine } = parts
  const builder = createTreeBuilder(decodeFrontier(state.treeSize, decodeBase64(state.frontier)!))
  const guard = state.guard === null || verifier === null ? null : openGuardNote(state.guard, verifier, report)
  const explanations = createExplanations({ store, isGenuine, covered: state.covered })
  const kept = createKeptProofs(createTreeReader(store.read))
  const stream = createCheckpointStream({
    store,
    verifier,
    report,
    epochs: state.epochs,
    given: guard === null ? heads : [...heads, guard].sort((a, b) => a.size - b.size),
    after: state.phase === 'entries' ? (state.next === state.pruned ? -1 : state.treeSize) : Number.MAX_SAFE_INTEGER,
  })
  return {
    parts,
    state,
    report,
    builder,
    tiles: createTileCheck(store, state, report),
    checkpoints: createCheckpointCheck(stream, { builder, kept }, state, report),
    explanations,
    events: createEventWalk({ store, state, report, explanations }),
    begunAt: performance.now(),
    milliseconds: state.milliseconds,
  }
}

/** Each progress is told where the state is one from which another process can go on; null is told in between. */
async function* walk(run: Run): AsyncGenerator<AuditProgress | null, void, void> {
  const { parts, state, report, explanations, events } = run
  await explanations.refresh()
  if (state.phase === 'entries') {
    yield* walkEntries(run)
    for await (const _ of run.tiles.finish()) yield null
    for await (const _ of run.checkpoints.judgeRest()) yield null
    await explanations.refresh()
    reportMisfits(state, explanations.restored(), report)
    if (state.announced > 0 && !explanations.wasPruned(state.announced)) {
      report.add('pruned-without-event', `${state.announced} entries`)
    }
    state.root = state.broken === null ? encodeBase64(run.builder.root()) : ''
    Object.assign(state, { phase: 'ids', after: '' } satisfies Partial<AuditState>)
    yield progressOf(state)
  }
  if (state.phase === 'ids') {
    for await (const _ of checkIds(parts.store, state, report)) yield progressOf(state)
    Object.assign(state, { phase: 'queue', after: '' } satisfies Partial<AuditState>)
    yield progressOf(state)
  }
  for await (const _ of checkQueue({ ...parts, state, report, events })) yield progressOf(state)
  const pending = (await parts.readPending?.()) ?? { items: [], forged: [] }
  await explanations.refresh()
  events.reportOpenings(pending)
}

async function* walkEntries(run: Run): AsyncGenerator<AuditProgress, void, void> {
  const { parts, state, report, events } = run
  const { isGenuine } = parts
  await run.checkpoints.judgeReached()
  let ahead = readBatch(run, state.next)
  while (state.next < state.size) {
    const { rows, stored } = await ahead
    // A database server reads the next ones while these are hashed.
    ahead = readBatch(run, rows.length === 0 ? state.size : Number(rows.at(-1)!.log_index) + 1)
    const checked: CheckedEntry[] = []
    const linked: CheckedEntry[] = []
    for (const row of rows) {
      const entry = checkEntry(row, Number(row.log_index) >= state.covered, isGenuine)
      if (entry.index < state.next) report.add('entry-duplicate', 'of one place', entry)
      else {
        await noteGap(run, entry.index)
        state.next = entry.index + 1
        if (state.broken === null) linked.push(entry)
      }
      for (const [code, detail] of entry.faults) report.add(code, detail, entry)
      checked.push(entry)
    }
    if (rows.length === 0) {
      await noteGap(run, state.size)
      state.next = state.size
    }
    await grow(run, linked)
    await events.compare(
      checked.flatMap(({ index, eventId, leaf }) => (leaf !== null && leaf.id === eventId ? [{ index, leaf }] : [])),
      stored,
    )
    yield progressOf(state)
  }
}

interface Batch {
  readonly rows: readonly EntryRow[]
  readonly stored: ReadonlyMap<string, StoredEvent>
}

function readBatch({ parts: { store }, state }: Run, from: number): Promise<Batch> {
  const read = async (): Promise<Batch> => {
    if (from >= state.size) return { rows: [], stored: new Map() }
    const rows = await readEntries(store, from, state.size)
    const ids = rows.map(({ event_id: id }) => id)
    return { rows, stored: await readEvents(store, ids) }
  }
  const batch = read()
  // It is waited for later, or never when the audit is stopped.
  batch.catch(() => {})
  return batch
}

/** Behind an entry that is missing there is no tree, but everything else can be looked at. */
async function noteGap({ parts: { store }, state, report }: Run, index: number): Promise<void> {
  if (index === state.next) return
  if (state.next < (await readPrunedSize(store.read)) && ((await readFirstIndex(store.read)) ?? index) > state.next) {
    throw new GatebookError('ERR_ENTRY_PRUNED', {
      detail: `The log was pruned while it was audited, and entry ${state.next} is gone. Run the audit again.`,
    })
  }
  const what = index === state.next + 1 ? `entry ${state.next}` : `entries ${state.next} to ${index - 1}`
  report.add('entry-missing', what, { index: state.next })
  state.broken ??= state.next
}

async function grow({ builder, tiles, checkpoints }: Run, entries: readonly CheckedEntry[]): Promise<void> {
  for (let at = 0; at < entries.length; ) {
    const until = Math.min(entries.length, at + (await checkpoints.distance()))
    await tiles.append(builder.append(entries.slice(at, until).map(({ leafHash }) => leafHash)))
    await checkpoints.judgeReached()
    at = until
  }
}

async function save(path: string, run: Run): Promise<void> {
  const { state, builder } = run
  const frontier = builder.frontier()
  state.treeSize = frontier.size
  state.frontier = encodeBase64(encodeFrontier(frontier))
  state.milliseconds = elapsed(run)
  await writeResumeFile(path, state)
}

function elapsed({ begunAt, milliseconds }: Run): number {
  return Math.round(milliseconds + performance.now() - begunAt)
}

function progressOf({ phase, next, size, pruned }: AuditState): AuditProgress {
  return { kind: 'progress', phase, done: Math.min(next, size) - pruned, total: size - pruned }
}

function summarise(run: Run): AuditSummary {
  const { state } = run
  return {
    kind: 'summary',
    size: state.size,
    entries: state.size - state.pruned,
    events: state.events,
    checkpoints: state.checkpoints,
    covered: state.fits,
    anchored: state.anchored,
    root: state.root === '' ? null : state.root,
    findings: state.findings,
    counts: state.counts,
    milliseconds: elapsed(run),
  }
}
