/**
 * Programs that may ask about tokens, and applications that users are handed over to: add one, take its secret away, and let it show
 * who it is.
 *
 * create        `client.created`.
 * revoke        `client.revoked`, unless it was revoked before; then `session.ended` (client-revoked) for each session of the application.
 * authenticate  `client.refused` (unknown-client, wrong-secret, revoked); nothing when it succeeds.
 */
import { type Selectable, sql } from 'kysely'
import type { Client, NewClient, Page, PageOptions, RequestContext } from '../api.ts'
import { GatebookError } from '../errors.ts'
import type { ClientRefusalReason } from '../event/catalogue.ts'
import { encodeCursor, parseCursor, parseLimit } from '../log/cursor.ts'
import { clientState } from '../log/row-state.ts'
import type { EventSource } from '../session/end-sessions.ts'
import { lockLive } from '../session/session-row.ts'
import type { Store } from '../store/store.ts'
import type { ClientTable } from '../store/tables.ts'
import { generateClientSecret, isClientSecret } from '../token/client-secret.ts'
import { checkRedirectUris } from '../token/redirect-uri.ts'
import { generateId, isId } from '../util/id.ts'
import { eventSource } from './event-source.ts'
import type { FlowParts } from './parts.ts'

/** Anything that can be read on one line. */
const NAME = /^(?=.*\S)[^\p{C}\u2028\u2029]{1,100}$/u
const BATCH = 100
/** Of nothing, so that an unknown client costs what a known one does. */
const NO_DIGEST = 'A'.repeat(43)

interface ClientInput {
  readonly name: string
  readonly redirectUris?: readonly string[]
}

export async function createClient(
  parts: FlowParts,
  input: ClientInput,
  context: RequestContext = {},
): Promise<NewClient> {
  const { secret, digest } = generateClientSecret()
  return { ...(await insertClient(parts, input, digest, context)), secret }
}

export async function createPublicClient(
  parts: FlowParts,
  input: ClientInput,
  context: RequestContext = {},
): Promise<Client> {
  if (input.redirectUris === undefined || input.redirectUris.length === 0) {
    const detail = 'A public client has no secret and is for handing users over to it, which needs an address.'
    throw new GatebookError('ERR_REDIRECT_URI_INVALID', { detail })
  }
  return insertClient(parts, input, null, context)
}

async function insertClient(
  { store, log, settings }: FlowParts,
  input: ClientInput,
  digest: string | null,
  context: RequestContext,
): Promise<Client> {
  const name = input.name.trim()
  if (!NAME.test(name)) throw new GatebookError('ERR_CLIENT_NAME_INVALID')
  const redirectUris = checkRedirectUris(input.redirectUris ?? [])
  const createdAt = settings.clock.now()
  const id = generateId('client', createdAt)
  const source = eventSource(context, { kind: 'application' })
  const row = {
    id,
    name,
    secret_digest: digest,
    redirect_uris: redirectUris.length === 0 ? null : JSON.stringify(redirectUris),
    created_by: source.actor.id ?? source.actor.kind,
    created_at: createdAt,
    revoked_at: null,
  }
  await store.transaction(async (tx) => {
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
  return toClient(row)
}

export async function findClient({ store }: FlowParts, clientId: string): Promise<Client | null> {
  const row = isId('client', clientId) ? await findRow(store, clientId) : undefined
  return row === undefined ? null : toClient(row)
}

function findRow(store: Store, id: string | null): Promise<Selectable<ClientTable> | undefined> {
  return store.read((db) =>
    db
      .selectFrom('gatebook_client')
      .selectAll()
      .where('id', '=', id ?? '')
      .executeTakeFirst(),
  )
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

export async function revokeClient(parts: FlowParts, clientId: string, context: RequestContext = {}): Promise<boolean> {
  const { store, log, settings } = parts
  if (!isId('client', clientId)) throw new GatebookError('ERR_CLIENT_NOT_FOUND')
  const source = eventSource(context, { kind: 'application' })
  const revoked = await store.transaction(async (tx) => {
    let query = tx.db.selectFrom('gatebook_client').select('revoked_at').where('id', '=', clientId)
    if (tx.traits.rowLocks) query = query.forUpdate()
    const row = await query.executeTakeFirst()
    if (row === undefined) throw new GatebookError('ERR_CLIENT_NOT_FOUND')
    if (row.revoked_at !== null) return false
    const now = settings.clock.now()
    await tx.db.updateTable('gatebook_client').set({ revoked_at: now }).where('id', '=', clientId).execute()
    await log.append(tx, [{ ...source, type: 'client.revoked', outcome: 'success', data: { client: clientId } }])
    return true
  })
  // Also where it was revoked before: whoever was interrupted does it again.
  await endSessionsOf(parts, clientId, source)
  return revoked
}

/** In the order of the index by_expiry, a few at a time: there may be as many as there are users. */
async function endSessionsOf({ store, sessionEnder }: FlowParts, clientId: string, source: EventSource): Promise<void> {
  for (let after = { expires_at: 0, id: '' }; ; ) {
    const { expires_at: expiresAt, id } = after
    const rows = await store.read((db) =>
      db
        .selectFrom('gatebook_session')
        .select(['id', 'expires_at'])
        .where('ended_at', 'is', null)
        .where('expires_at', '>=', expiresAt)
        .where('client_id', '=', clientId)
        .where(({ or, eb }) => or([eb('expires_at', '>', expiresAt), eb('id', '>', id)]))
        .orderBy('expires_at')
        .orderBy('id')
        .limit(sql.lit(BATCH))
        .execute(),
    )
    const last = rows.at(-1)
    if (last === undefined) return
    await store.transaction(async (tx) => {
      const live = await lockLive(
        tx,
        rows.map((row) => row.id),
      )
      await sessionEnder.end(tx, live, 'client-revoked', source)
    })
    after = { expires_at: Number(last.expires_at), id: last.id }
  }
}

/** Asked anew each time: a secret that was taken away is good for nothing from then on. */
export async function authenticateClient(
  { store, refusals }: FlowParts,
  /** Without a secret: of a public client, which has none. */
  credentials: { readonly id: string; readonly secret: string | null },
  context: RequestContext = {},
): Promise<Client> {
  const id = isId('client', credentials.id) ? credentials.id : null
  const row = await findRow(store, id)
  const { secret } = credentials
  const right = secret === null ? row?.secret_digest === null : isClientSecret(secret, row?.secret_digest ?? NO_DIGEST)
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
    public: row.secret_digest === null,
    redirectUris: row.redirect_uris === null ? [] : (JSON.parse(row.redirect_uris) as string[]),
    createdBy: row.created_by,
    createdAt: Number(row.created_at),
    revokedAt: row.revoked_at === null ? null : Number(row.revoked_at),
  }
}
