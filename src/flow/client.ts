/**
 * Programs that may ask about tokens: add one, take its secret away, and let it show who it is.
 *
 * create        `client.created`.
 * revoke        `client.revoked`, unless it was revoked before.
 * authenticate  `client.refused` (unknown-client, wrong-secret, revoked); nothing when it succeeds.
 */
import { type Selectable, sql } from 'kysely'
import type { Client, NewClient, Page, PageOptions, RequestContext } from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { ClientRefusalReason } from '../event/catalogue.ts'
import { encodeCursor, parseCursor, parseLimit } from '../log/cursor.ts'
import { clientState } from '../log/row-state.ts'
import type { ClientTable } from '../store/tables.ts'
import { generateClientSecret, isClientSecret } from '../token/client-secret.ts'
import { generateId, isId } from '../util/id.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'

/** Anything that can be read on one line. */
const NAME = /^(?=.*\S)[^\p{C}\u2028\u2029]{1,100}$/u
/** Of nothing, so that an unknown client costs what a known one does. */
const NO_DIGEST = 'A'.repeat(43)

export async function createClient(
  { store, log, settings }: FlowParts,
  input: { readonly name: string },
  context: RequestContext = {},
): Promise<NewClient> {
  const name = input.name.trim()
  if (!NAME.test(name)) throw new GatebookError('ERR_CLIENT_NAME_INVALID')
  const { secret, digest } = generateClientSecret()
  const createdAt = settings.clock.now()
  const id = generateId('client', createdAt)
  const source = eventSource(context, { kind: 'application' })
  const createdBy = source.actor.id ?? source.actor.kind
  await store.transaction(async (tx) => {
    const row = { id, name, secret_digest: digest, created_by: createdBy, created_at: createdAt, revoked_at: null }
    await tx.db.insertInto('gatebook_client').values(row).execute()
    await log.append(tx, [
      {
        ...source,
        type: 'client.created',
        outcome: 'success',
        data: { client: id },
        state: { client: clientState(row) },
      },
    ])
  })
  return { id, name, createdBy, createdAt, revokedAt: null, secret }
}

export async function listClients({ store }: FlowParts, options: PageOptions = {}): Promise<Page<Client>> {
  const limit = parseLimit(options.limit)
  const before = options.cursor === undefined ? undefined : parseCursor(options.cursor)
  if (before !== undefined && !isId('client', before)) throw new GatebookError('ERR_CURSOR_INVALID')
  const rows = await store.read((db) => {
    const query = db
      .selectFrom('gatebook_client')
      .selectAll()
      .orderBy('id', 'desc')
      .limit(sql.lit(limit + 1))
    return (before === undefined ? query : query.where('id', '<', before)).execute()
  })
  const items = rows.slice(0, limit).map(toClient)
  return { items, next: rows.length > limit ? encodeCursor(items.at(-1)!.id) : null }
}

export async function revokeClient(
  { store, log, settings }: FlowParts,
  clientId: string,
  context: RequestContext = {},
): Promise<boolean> {
  if (!isId('client', clientId)) throw new GatebookError('ERR_CLIENT_NOT_FOUND')
  return store.transaction(async (tx) => {
    let query = tx.db.selectFrom('gatebook_client').select('revoked_at').where('id', '=', clientId)
    if (tx.traits.rowLocks) query = query.forUpdate()
    const row = await query.executeTakeFirst()
    if (row === undefined) throw new GatebookError('ERR_CLIENT_NOT_FOUND')
    if (row.revoked_at !== null) return false
    const now = settings.clock.now()
    await tx.db.updateTable('gatebook_client').set({ revoked_at: now }).where('id', '=', clientId).execute()
    const source = eventSource(context, { kind: 'application' })
    await log.append(tx, [{ ...source, type: 'client.revoked', outcome: 'success', data: { client: clientId } }])
    return true
  })
}

/** Asked anew each time: a secret that was taken away is good for nothing from then on. */
export async function authenticateClient(
  { store, refusals }: FlowParts,
  credentials: { readonly id: string; readonly secret: string },
  context: RequestContext = {},
): Promise<Client> {
  const id = isId('client', credentials.id) ? credentials.id : null
  const row = await store.read((db) =>
    db
      .selectFrom('gatebook_client')
      .selectAll()
      .where('id', '=', id ?? '')
      .executeTakeFirst(),
  )
  const right = isClientSecret(credentials.secret, row?.secret_digest ?? NO_DIGEST)
  const reason = refusalOf(row, right)
  if (reason === null) return toClient(row!)
  await refusals.append({
    ...eventSource(context, { kind: 'anonymous' }),
    type: 'client.refused',
    outcome: 'denied',
    reason,
    ...(row !== undefined && { data: { client: row.id } }),
  })
  throw new GatebookError('ERR_CLIENT_INVALID')
}

function refusalOf(row: Selectable<ClientTable> | undefined, right: boolean): ClientRefusalReason | null {
  if (row === undefined) return 'unknown-client'
  if (!right) return 'wrong-secret'
  return row.revoked_at === null ? null : 'revoked'
}

function toClient(row: Selectable<ClientTable>): Client {
  return {
    id: row.id,
    name: row.name,
    createdBy: row.created_by,
    createdAt: Number(row.created_at),
    revokedAt: row.revoked_at === null ? null : Number(row.revoked_at),
  }
}
