import { z } from 'zod'
import type { WireOpening, WireReceipt } from '../log/receipt.ts'
import { QUERY_MAX_LENGTH } from '../query/parse-query.ts'
import { parseCidrRange } from '../util/address.ts'
import type {
  WireActivity,
  WireClaims,
  WireClient,
  WireErasurePreview,
  WireErasureReport,
  WireEvent,
  WireHold,
  WireInvitation,
  WireNewClient,
  WireNewInvitation,
  WirePage,
  WireRevocationPage,
  WireSession,
  WireSessionDetail,
  WireSessionRecord,
  WireSignedIn,
  WireSigningKey,
  WireTokens,
  WireUser,
} from './wire.ts'

/**
 * Names and descriptions for the OpenAPI document. A registry of our own, because the global one belongs to the
 * application, whose generators would pick up what we put there.
 */
export const documented: z.core.$ZodRegistry<Record<string, unknown>> = z.registry<Record<string, unknown>>()

/** A schema that becomes `#/components/schemas/NAME`. */
export function named<T>(id: string, schema: z.ZodType<T>, description: string): z.ZodType<T> {
  documented.add(schema, { id, description })
  return schema
}

export function described<S extends z.ZodType>(schema: S, facts: Record<string, unknown>): S {
  documented.add(schema, facts)
  return schema
}

const text: z.ZodType<string | null> = z.string().nullable()
const instant: z.ZodType<number> = described(z.int(), { description: 'Epoch milliseconds.' })
const seconds: z.ZodType<number> = described(z.int(), { description: 'Seconds.' })
const data: z.ZodType<Record<string, unknown>> = z.record(z.string(), z.unknown())

const granted = {
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: seconds,
  refresh_token: z.string(),
  refresh_expires_in: seconds,
  session_id: z.string(),
  user_id: z.string(),
}
export const grantedTokensSchema: z.ZodType<Omit<WireTokens, 'device_token'>> = named(
  'GrantedTokens',
  z.object(granted),
  'What an application gets for a code or a refresh token (RFC 6749 §5.1).',
)
export const tokensSchema: z.ZodType<WireTokens> = named(
  'Tokens',
  z.object({ ...granted, device_token: z.string() }),
  'What a log-in or a refresh returns.',
)

export const signedInSchema: z.ZodType<WireSignedIn> = named(
  'SignedIn',
  z.object({ expires_in: seconds, refresh_expires_in: seconds, session_id: z.string(), user_id: z.string() }),
  'What a log-in or a refresh returns where the tokens are in cookies.',
)

/** The member of a body that asks for cookies. */
export const cookiesMember: z.ZodExactOptional<z.ZodType<boolean>> = z.exactOptional(
  described(z.boolean(), { description: 'Whether the tokens are in cookies, instead of in bodies.' }),
)

export const claimsSchema: z.ZodType<WireClaims> = named(
  'Claims',
  z.object({
    user_id: z.string(),
    session_id: z.string(),
    roles: z.array(z.string()),
    claims: data,
    expires_at: instant,
  }),
  'What the access token says.',
)

const session = {
  id: z.string(),
  user_id: z.string(),
  created_at: instant,
  last_used_at: instant,
  expires_at: instant,
  ended_at: z.int().nullable(),
  end_reason: text,
  ip: text,
  user_agent: text,
  device_id: text,
  method: z.string(),
  client_id: described(text, { description: 'The application that the user was handed over to.' }),
  parent_id: described(text, { description: 'The session by which that was done.' }),
}

export const sessionSchema: z.ZodType<WireSession> = named(
  'Session',
  z.object(session),
  'One log-in, from its start to its end.',
)

const sessionRecordSchema: z.ZodType<WireSessionRecord> = named(
  'SessionRecord',
  z.object({
    id: z.string(),
    user_id: z.string(),
    method: z.string(),
    started_at: instant,
    last_refreshed_at: described(z.int().nullable(), { description: 'Null when it was never refreshed.' }),
    refresh_count: z.int(),
    expires_at: instant,
    ended_at: z.int().nullable(),
    end_reason: text,
    ip: text,
    user_agent: text,
    device: text,
    client_id: text,
    parent_id: text,
  }),
  'One log-in, from its start to its end, as admins see it.',
)

export const signingKeySchema: z.ZodType<WireSigningKey> = named(
  'SigningKey',
  z.object({
    id: z.string(),
    algorithm: z.string(),
    state: z.enum(['pending', 'active', 'retiring', 'retired', 'revoked']),
    created_at: instant,
    activates_at: instant,
    activated_at: z.int().nullable(),
    retires_at: z.int().nullable(),
    ended_at: z.int().nullable(),
  }),
  'A key that signs access tokens: published before it signs, and kept until nothing that it has signed is valid.',
)

export const userSchema: z.ZodType<WireUser> = named(
  'User',
  z.object({
    id: z.string(),
    identifier: text,
    created_at: instant,
    confirmed_at: z.int().nullable(),
    disabled_at: z.int().nullable(),
    roles: z.array(z.string()),
  }),
  'A user; `identifier` is null for the users of the application.',
)

const invited = {
  id: z.string(),
  identifier: text,
  roles: z.array(z.string()),
  created_by: z.string(),
  created_at: instant,
  expires_at: instant,
  state: z.enum(['open', 'used', 'revoked', 'expired']),
  used_by: text,
}
const invitationSchema: z.ZodType<WireInvitation> = named(
  'Invitation',
  z.object(invited),
  'Who holds the token of an open invitation may register once; only `identifier`, where there is one.',
)
export const newInvitationSchema: z.ZodType<WireNewInvitation> = named(
  'NewInvitation',
  z.object({ ...invited, token: z.string() }),
  'An invitation with its token, which is shown this once.',
)

const registered = {
  id: z.string(),
  name: z.string(),
  public: described(z.boolean(), { description: 'Has no secret.' }),
  redirect_uris: z.array(z.string()),
  created_by: z.string(),
  created_at: instant,
  revoked_at: z.int().nullable(),
}
const clientSchema: z.ZodType<WireClient> = named(
  'Client',
  z.object(registered),
  'A program that may ask about tokens, or an application that users are handed over to.',
)
export const newClientSchema: z.ZodType<WireNewClient> = named(
  'NewClient',
  z.object({ ...registered, secret: described(text, { description: 'Null for a public client.' }) }),
  'A client with its secret, which is shown this once.',
)

export const revocationPageSchema: z.ZodType<WireRevocationPage> = named(
  'Revocations',
  z.object({
    entries: z.array(
      z.object({
        sid: z.string(),
        kind: z.enum(['ended', 'stale']),
        gen: described(z.int(), { description: 'Access tokens with a smaller `gen` are refused; all, for `ended`.' }),
        reason: text,
        forget_at: instant,
      }),
    ),
    next: described(z.string(), { description: 'What to ask for next. Opaque.' }),
    more: described(z.boolean(), { description: 'There is more to read at once.' }),
    as_of: instant,
  }),
  'Sessions whose access tokens must be refused although they have not expired.',
)

export const introspectionSchema: z.ZodType = named(
  'Introspection',
  z.looseObject({ active: z.boolean() }),
  'RFC 7662 §2.2. Nothing but `active` for a token that is not good.',
)
export const metadataSchema: z.ZodType = named(
  'AuthorizationServerMetadata',
  z.looseObject({ issuer: z.string(), jwks_uri: z.string() }),
  'RFC 8414 §2.',
)

const told = {
  id: z.string(),
  type: z.string(),
  outcome: z.enum(['success', 'failure', 'denied']),
  reason: text,
  at: instant,
  time: described(z.string(), { description: 'The same as `at`, in ISO 8601.', format: 'date-time' }),
  session_id: text,
  method: text,
  ip: text,
  ip_source: text,
  user_agent: text,
  device_id: text,
  data,
}

const activitySchema: z.ZodType<WireActivity> = named(
  'Activity',
  z.object({ ...told, by: z.string() }),
  'One event about the caller. `by` is the kind of whoever caused it.',
)

export const eventSchema: z.ZodType<WireEvent> = named(
  'Event',
  z.object({
    ...told,
    number: z.int(),
    actor: z.object({ kind: z.string(), id: text }),
    subject: text,
    identifier: text,
    identifier_mask: text,
    identifier_hmac: text,
    token_id: text,
    request_id: text,
    trace_id: text,
  }),
  'One event of the log.',
)

export const sessionDetailSchema: z.ZodType<WireSessionDetail> = named(
  'SessionDetail',
  z.object({ ...session, end_event: eventSchema.nullable() }),
  'A session with the event that ended it: by whom, and from where.',
)

/** A page of `items`; `next` is the cursor of the following one. */
function pageSchema<T>(id: string, item: z.ZodType<T>): z.ZodType<WirePage<T>> {
  return named(id, z.object({ items: z.array(item), next: text }), 'One page; `next` is null on the last one.')
}

/** All `items` at once. */
function listSchema<T>(id: string, item: z.ZodType<T>): z.ZodType<{ items: T[] }> {
  return named(id, z.object({ items: z.array(item) }), 'The whole list.')
}

export const sessionListSchema: z.ZodType<{ items: WireSession[] }> = listSchema('SessionList', sessionSchema)
export const sessionPageSchema: z.ZodType<WirePage<WireSession>> = pageSchema('SessionPage', sessionSchema)
export const sessionRecordPageSchema: z.ZodType<WirePage<WireSessionRecord>> = pageSchema(
  'SessionRecordPage',
  sessionRecordSchema,
)
export const userListSchema: z.ZodType<{ items: WireUser[] }> = listSchema('UserList', userSchema)
export const userPageSchema: z.ZodType<WirePage<WireUser>> = pageSchema('UserPage', userSchema)
export const activityPageSchema: z.ZodType<WirePage<WireActivity>> = pageSchema('ActivityPage', activitySchema)
export const eventPageSchema: z.ZodType<WirePage<WireEvent>> = pageSchema('EventPage', eventSchema)

export const invitationPageSchema: z.ZodType<WirePage<WireInvitation>> = pageSchema('InvitationPage', invitationSchema)

export const clientPageSchema: z.ZodType<WirePage<WireClient>> = pageSchema('ClientPage', clientSchema)

export const signingKeyListSchema: z.ZodType<{ items: WireSigningKey[] }> = listSchema(
  'SigningKeyList',
  signingKeySchema,
)

const erasureCounts = {
  user_id: described(text, { description: 'Null for an identifier that is nobody’s.' }),
  events: z.int(),
  networks: z.int(),
  sessions: z.int(),
  devices: z.int(),
  tokens: z.int(),
  counters: z.int(),
}
export const erasureReportSchema: z.ZodType<WireErasureReport> = named(
  'ErasureReport',
  z.object(erasureCounts),
  'What was emptied or removed.',
)
export const erasurePreviewSchema: z.ZodType<WireErasurePreview> = named(
  'ErasurePreview',
  z.object({ ...erasureCounts, acts_on_others: z.int(), holds: z.array(z.string()) }),
  'What an erasure would empty or remove.',
)
export const holdSchema: z.ZodType<WireHold> = named(
  'Hold',
  z.object({
    id: z.string(),
    user_id: text,
    identifier: text,
    from: instant.nullable(),
    to: instant.nullable(),
    reason: z.string(),
    reference: text,
    created_by: z.string(),
    created_at: instant,
  }),
  'A legal hold: what it covers neither expires nor is erased.',
)
export const holdListSchema: z.ZodType<{ items: WireHold[] }> = listSchema('HoldList', holdSchema)
export const endedSchema: z.ZodType = z.object({ ended: z.int() })
export const healthSchema: z.ZodType = z.object({ status: z.literal('ok') })
export const readySchema: z.ZodType = z.object({ ready: z.literal(true) })
export const metricsSchema: z.ZodType = z.string()
export const documentSchema: z.ZodType = z.looseObject({ openapi: z.string() })
export const jwksSchema: z.ZodType = z.object({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string() })) })

export const oauthErrorSchema: z.ZodType = named(
  'OauthError',
  z.object({ error: z.string(), error_description: z.string() }),
  'RFC 6749 §5.2.',
)

const opening: z.ZodType<WireOpening | null> = z
  .object({ salt: described(z.string(), { description: '64 hexadecimal digits.' }), fields: data })
  .nullable()

export const receiptSchema: z.ZodType<WireReceipt> = named(
  'Receipt',
  z.object({
    format: z.string(),
    event_id: z.string(),
    index: z.int(),
    size: described(z.int(), { description: 'How many entries the checkpoint covers.' }),
    leaf: described(z.string(), { description: 'The exact bytes of the entry, as the UTF-8 that they are.' }),
    leaf_hash: described(z.string(), { description: '64 hexadecimal digits.' }),
    proof: described(z.string(), { description: 'C2SP tlog-proof.' }),
    opening: z.object({ id: opening, net: opening }),
  }),
  'That an event stands in the log, to be checked with the public key of the log alone. A class of `opening` is null where its fields have been forgotten.',
)

export const configurationSchema: z.ZodType = named(
  'Configuration',
  z.object({
    items: z.array(
      z.object({
        name: z.string(),
        env: z.string(),
        value: z.union([z.string(), z.number(), z.boolean(), z.array(z.string()), z.null()]),
        unit: text,
        source: z.enum(['default', 'environment', 'file', 'option']),
      }),
    ),
  }),
  'The settings in force; of a secret, `set` or `not set`.',
)

/** Texts of WHATWG HTML §9.2. */
export const eventStreamSchema: z.ZodType<string> = z.string()

/** Texts and bytes whose form C2SP says. */
export const logFileSchema: z.ZodType<string> = z.string()

export const problemSchema: z.ZodType = named(
  'Problem',
  z.looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string(),
    detail: z.string(),
    request_id: z.string(),
  }),
  'RFC 9457. `code` is stable; `detail` is a sentence for people.',
)

/** Query parameters arrive as text. */
const limitParameter: z.ZodType<number> = described(
  z
    .string()
    .regex(/^[1-9]\d{0,2}$/)
    .transform(Number)
    .refine((limit) => limit <= 500),
  { type: 'integer', minimum: 1, maximum: 500, pattern: undefined, description: 'Items on a page; 50 unless given.' },
)
export const waitParameter: z.ZodType<number> = described(
  z
    .string()
    .regex(/^\d{1,2}$/)
    .transform(Number)
    .refine((wait) => wait <= 30),
  { type: 'integer', minimum: 0, maximum: 30, pattern: undefined, description: 'Seconds; 0 unless given.' },
)
const cursorParameter: z.ZodType<string> = described(z.string().min(1).max(512), {
  description: 'What the page before said as `next`.',
})
export const addressParameter: z.ZodType<string> = described(
  z.string().refine((ip) => parseCidrRange(ip) !== null),
  { description: 'An address or a CIDR.' },
)
export const queryParameter: z.ZodType<string> = described(z.string().max(QUERY_MAX_LENGTH), {
  description: 'A query such as `outcome:failure ip:203.0.113.0/24 -reason:throttled since:24h`; see docs/search.md.',
})
export const timeZoneParameter: z.ZodType<string> = described(z.string().refine(isTimeZone), {
  description: 'IANA name of the time zone in which times without an offset are meant; UTC unless given.',
})
export const instantParameter: z.ZodType<number> = described(
  z
    .string()
    .transform(parseInstant)
    .refine((at) => at !== null),
  { description: 'Epoch milliseconds, or ISO 8601 with a zone; a date alone is its first instant in UTC.' },
) as z.ZodType<number>

/** Shared by every route that returns pages. */
export const pageParameters: {
  limit: z.ZodExactOptional<z.ZodType<number>>
  cursor: z.ZodExactOptional<z.ZodType<string>>
} = { limit: z.exactOptional(limitParameter), cursor: z.exactOptional(cursorParameter) }

const ISO_8601 = /^(\d{4})-(\d\d)-(\d\d)(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d))?$/

function isTimeZone(name: string): boolean {
  try {
    return name.length <= 64 && new Intl.DateTimeFormat('en', { timeZone: name }) !== null
  } catch {
    return false
  }
}

function parseInstant(typed: string): number | null {
  if (/^\d{1,15}$/.test(typed)) return Number(typed)
  const match = ISO_8601.exec(typed)
  if (match === null) return null
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])]
  // Date.parse takes the 31st of February for the 3rd of March.
  if (new Date(Date.UTC(year, month - 1, day)).getUTCDate() !== day) return null
  const at = Date.parse(typed)
  return Number.isNaN(at) || at < 0 ? null : at
}
