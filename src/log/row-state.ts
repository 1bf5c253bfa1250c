/**
 * The fields of each kind of row whose digest stands in a leaf, by `spec/entry.md`. The flow that writes a row and the
 * reconciliation that reads it come through here, so that both mean the same. What expires before its subject is forgotten
 * (address, user agent, device) is in none of them: the salt would let somebody confirm a guess of it.
 */
import type { CommittedFields } from '../event/commitment.ts'
import type { ClientTable, CredentialTable, SessionTable, SigningKeyTable } from '../store/tables.ts'

type Columns<Table, Names extends keyof Table> = { readonly [K in Names]: Table[K] }

/** What a session is from its start to its end. Roles and claims as they stand in their columns, as JSON text. */
export function sessionState(
  row: Columns<
    SessionTable,
    | 'id'
    | 'subject_id'
    | 'method'
    | 'roles'
    | 'claims'
    | 'client_id'
    | 'parent_id'
    | 'authenticated_at'
    | 'created_at'
    | 'absolute_expires_at'
  >,
): CommittedFields {
  return {
    session: row.id,
    subject: row.subject_id,
    method: row.method,
    roles: row.roles ?? undefined,
    claims: row.claims ?? undefined,
    client: row.client_id ?? undefined,
    parent: row.parent_id ?? undefined,
    authenticated_at: row.authenticated_at === null ? undefined : Number(row.authenticated_at),
    created_at: Number(row.created_at),
    absolute_expires_at: Number(row.absolute_expires_at),
  }
}

/** What a refresh changes: which tokens are good, which are forgiven, and until when. */
export function rotationState(
  row: Columns<SessionTable, 'id' | 'refresh_counter' | 'rotations' | 'expires_at'>,
): CommittedFields {
  return {
    session: row.id,
    counter: Number(row.refresh_counter),
    rotations: row.rotations,
    expires_at: Number(row.expires_at),
  }
}

export function credentialState(row: Columns<CredentialTable, 'user_id' | 'password_hash'>): CommittedFields {
  return { user: row.user_id, password_hash: row.password_hash }
}

export function clientState(
  row: Columns<ClientTable, 'id' | 'name' | 'secret_digest' | 'redirect_uris'>,
): CommittedFields {
  return {
    client: row.id,
    name: row.name,
    secret_digest: row.secret_digest ?? undefined,
    redirect_uris: row.redirect_uris ?? undefined,
  }
}

/** The public half is what tokens are verified with: whoever puts another one there can sign whatever they like. */
export function keyState(row: Columns<SigningKeyTable, 'kid' | 'algorithm' | 'public_jwk'>): CommittedFields {
  return { key: row.kid, algorithm: row.algorithm, public_jwk: row.public_jwk }
}
