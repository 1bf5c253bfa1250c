/**
 * Bring users along from another system, with their password hashes as they are there.
 *
 * Events: `user.imported` for each user, `role.granted` for each of their roles, `user.disabled` where they come disabled; all
 * in the transaction that makes them. A row that is refused leaves nothing.
 *
 * Users come in batches, one transaction each, with a pause between them that is as long as the work was: so whoever logs in
 * meanwhile has the database for half of the time, and a stop loses one batch, which the next run makes.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ImportedUser, ImportOptions, ImportRefusal, ImportReport, RequestContext } from '../api.ts'
import { readHash } from '../credential/hash-formats.ts'
import { type ErrorCode, isGatebookError } from '../errors.ts'
import { chunks } from '../store/chunks.ts'
import { createTableGrowth } from '../store/table-growth.ts'
import type { Tables } from '../store/tables.ts'
import { normalizeIdentifier } from '../user/identifier.ts'
import { parseRole } from '../user/role.ts'
import { generateId } from '../util/id.ts'
import { type CheckedUser, insertImported } from './insert-imported.ts'
import type { FlowParts } from './parts.ts'

/** A power of two, so that statements have few texts. */
const BATCH = 128
/** How often a batch is tried when somebody else makes one of its users meanwhile. */
const TRIES = 5

const GROWING_TABLES: readonly (keyof Tables)[] = [
  'gatebook_user',
  'gatebook_subject',
  'gatebook_credential',
  'gatebook_role',
  'gatebook_event',
  'gatebook_entry',
]

interface Row {
  readonly place: number
  readonly user: CheckedUser
}

export async function importUsers(
  parts: FlowParts,
  rows: AsyncIterable<ImportedUser> | Iterable<ImportedUser>,
  options: ImportOptions = {},
  context: RequestContext = {},
): Promise<ImportReport> {
  const tally = { imported: 0, present: 0, refused: 0, weak: 0, formats: {} as Record<string, number> }
  const refuse = (place: number, code: ErrorCode, detail: string): void => {
    tally.refused += 1
    options.onRefused?.({ row: place, code, detail } satisfies ImportRefusal)
  }
  const run = { startedAt: parts.settings.clock.now(), dryRun: options.dryRun === true }

  const growth = createTableGrowth(parts.store, GROWING_TABLES)

  async function finish(batch: readonly Row[]): Promise<void> {
    const begun = performance.now()
    for (let attempt = 1; ; attempt++) {
      try {
        const { fresh, present, taken } = await sort(parts, batch, run.startedAt)
        if (!run.dryRun && fresh.length > 0)
          await insertImported(
            parts,
            fresh.map(({ user }) => user),
            context,
          )
        for (const { place } of taken) refuse(place, 'ERR_IDENTIFIER_TAKEN', 'another user has this identifier')
        for (const { user } of fresh) {
          tally.formats[user.format] = (tally.formats[user.format] ?? 0) + 1
          if (user.weak) tally.weak += 1
        }
        tally.imported += fresh.length
        tally.present += present.length
        break
      } catch (error) {
        if (attempt >= TRIES || !parts.store.traits.isUniqueViolation(error)) throw error
      }
    }
    // Those that are there already may have come as suddenly, in a run that was killed.
    if (!run.dryRun) await growth.reach(tally.imported + tally.present)
    options.onProgress?.({ ...tally })
    if (!run.dryRun) await sleep(performance.now() - begun)
  }

  let batch: Row[] = []
  let place = 0
  for await (const given of rows) {
    place += 1
    const checked = check(given)
    if ('code' in checked) refuse(place, checked.code, checked.detail)
    else batch.push({ place, user: checked })
    if (batch.length < BATCH) continue
    await finish(batch)
    batch = []
  }
  if (batch.length > 0) await finish(batch)
  return { ...tally, dryRun: run.dryRun }
}

/** What is wrong with a row, or the row as it is written. Nothing of the hash is ever told. */
function check(given: ImportedUser): CheckedUser | { readonly code: ErrorCode; readonly detail: string } {
  if (typeof given !== 'object' || given === null)
    return { code: 'ERR_ROW_MALFORMED', detail: 'a row must be an object' }
  const { identifier, passwordHash, roles = [], createdAt, disabled = false, confirmed = false } = given
  if (typeof identifier !== 'string') return { code: 'ERR_ROW_MALFORMED', detail: 'identifier must be a text' }
  if (typeof passwordHash !== 'string') return { code: 'ERR_ROW_MALFORMED', detail: 'password_hash must be a text' }
  if (createdAt !== undefined && (!Number.isSafeInteger(createdAt) || createdAt < EARLIEST || createdAt > LATEST)) {
    return { code: 'ERR_ROW_MALFORMED', detail: 'created_at must be an instant in epoch milliseconds or ISO 8601' }
  }
  if (!Array.isArray(roles) || roles.length > 64) {
    return { code: 'ERR_ROLE_INVALID', detail: 'roles must be a list of at most 64' }
  }
  try {
    const hash = readHash(passwordHash)
    if (hash === null) return { code: 'ERR_HASH_UNKNOWN', detail: 'password_hash is of no known kind, or too costly' }
    return {
      identifier: identifier.trim(),
      identifierKey: normalizeIdentifier(identifier),
      passwordHash,
      format: hash.format,
      weak: hash.weak,
      roles: [...new Set(roles.map(parseRole))].sort(),
      createdAt: createdAt ?? null,
      disabled: disabled === true,
      confirmed: confirmed === true,
    }
  } catch (error) {
    if (!isGatebookError(error)) throw error
    return { code: error.code, detail: error.message }
  }
}

/** In milliseconds this is 1973; a smaller number is a count of seconds. */
const EARLIEST = 100_000_000_000
/** The end of the year 9999, which every engine's native time can still tell. */
const LATEST = 253_402_300_799_999

/**
 * Which rows are new, which users an earlier run has made, and which names belong to somebody else. A name that comes
 * twice in one run belongs to the first.
 */
async function sort(
  { store }: FlowParts,
  batch: readonly Row[],
  startedAt: number,
): Promise<Record<'fresh' | 'present' | 'taken', Row[]>> {
  const sorted: Record<'fresh' | 'present' | 'taken', Row[]> = { fresh: [], present: [], taken: [] }
  const known = new Map<string, 'present' | 'taken'>()
  const keys = [...new Set(batch.map(({ user }) => user.identifierKey))]
  for (const chunk of chunks(keys)) {
    const found = await store.read((db) =>
      db.selectFrom('gatebook_user').select(['id', 'identifier_key']).where('identifier_key', 'in', chunk).execute(),
    )
    for (const { identifier_key: key } of found) known.set(key, 'taken')
    // Ids begin with the instant they were made at.
    const earliest = generateId('user', startedAt).slice(0, 'usr_'.length + 10)
    const earlier = new Map(found.filter(({ id }) => id < earliest).map(({ id, identifier_key: key }) => [id, key]))
    // A statement of its own: joined, every batch would go through all that was imported before.
    for (const ids of chunks([...earlier.keys()])) {
      const imported = await store.read((db) =>
        db
          .selectFrom('gatebook_event')
          .select('subject_id')
          .where('type', '=', 'user.imported')
          .where('subject_id', 'in', ids)
          .execute(),
      )
      for (const { subject_id: id } of imported) known.set(earlier.get(id!)!, 'present')
    }
  }
  for (const row of batch) {
    const { identifierKey } = row.user
    sorted[known.get(identifierKey) ?? 'fresh'].push(row)
    known.set(identifierKey, known.get(identifierKey) ?? 'taken')
  }
  return sorted
}
