/** What the methods of the library take and return, written by hand. */
import type { ErrorCode } from './errors.ts'
import type { LoginFailureReason, Outcome, SessionEndReason } from './event/catalogue.ts'
import type { Actor, AddressSource, EventData } from './event/event.ts'

/** A user id: `usr_…` for users that Gatebook keeps, the application's own value otherwise (a number as decimal text). */
export type UserId = string

/** What is known about the request that causes something. All of it ends up in the event, capped. */
export interface RequestContext {
  /** Address of the client, as the application or an adapter determined it. */
  readonly ip?: string
  /** Default: `application` when `ip` is given. */
  readonly ipSource?: AddressSource
  readonly userAgent?: string
  readonly requestId?: string
  readonly traceId?: string
  /** What an earlier log-in on this device returned as `device_token`. */
  readonly deviceToken?: string
  /** Of the access token that this makes, where it has to fit into less than the option says, such as a cookie. */
  readonly accessTokenMaxBytes?: number
  /** What the caller reads, as `Accept-Language` says it; for mails only, and nowhere stored. */
  readonly language?: string
  /** Who does it, where that is not the subject: an admin, a job. */
  readonly actor?: Actor
}

/** What a log-in or a refresh returns. Over HTTP the members are snake_case. */
export interface SessionTokens {
  readonly accessToken: string
  readonly tokenType: 'Bearer'
  /** Seconds that the access token lives. */
  readonly expiresIn: number
  readonly refreshToken: string
  /** Seconds until the refresh token expires if it is not used. */
  readonly refreshExpiresIn: number
  readonly sessionId: string
  readonly userId: UserId
  /** Present it at the next log-in (`deviceToken`): what others do to the account then does not lock this device out. */
  readonly deviceToken: string
}

/** The verified content of an access token. */
export interface AccessClaims {
  readonly userId: UserId
  readonly sessionId: string
  readonly roles: readonly string[]
  /** The application's own claims. */
  readonly claims: Readonly<Record<string, unknown>>
  readonly tokenId: string
  readonly clientId: string
  /** Epoch milliseconds, like all instants here. */
  readonly authenticatedAt: number
  readonly issuedAt: number
  readonly expiresAt: number
}

/** What of a request decides who its caller is; a `Request` will do. */
export interface AuthenticatedRequest {
  readonly headers: Pick<Headers, 'get'>
  readonly method: string
}

/** What a request has to show beside a valid access token. */
export interface AuthenticationRequirements {
  /** A role that the access token must carry. */
  readonly role?: string
  /** Seconds that may have passed since the user last showed a credential (`auth_time`). */
  readonly maxAgeSeconds?: number
}

export interface AttemptInput {
  /** What the user typed. */
  readonly identifier: string
  /** The application's user that the identifier belongs to, if it belongs to one. */
  readonly userId?: UserId | number
}

export interface SessionGrant {
  /** Roles of this session, beside those granted in Gatebook. */
  readonly roles?: readonly string[]
  /** Own claims for the access tokens of this session: a JSON object of at most 2 KiB. */
  readonly claims?: Readonly<Record<string, unknown>>
  /** How the user authenticated; default `password`. */
  readonly method?: string
}

/** One log-in attempt, counted as a failure until it succeeds. Settle it with exactly one of the two. */
export interface Attempt {
  /** Leaves `login.failed` with this reason. Throws ERR_ATTEMPT_SETTLED the second time. */
  fail(reason: Exclude<LoginFailureReason, 'throttled'>): Promise<void>
  /** Starts the session and leaves `login.succeeded`. Throws ERR_LOGIN_REFUSED for a disabled user (and leaves that). */
  succeed(userId: UserId | number, grant?: SessionGrant): Promise<SessionTokens>
}

export interface Session {
  readonly id: string
  readonly userId: UserId
  /** Epoch milliseconds, like all instants here. */
  readonly createdAt: number
  readonly lastUsedAt: number
  /** How often its refresh token was rotated. */
  readonly refreshCount: number
  /** When it ends if it is not refreshed before. */
  readonly expiresAt: number
  readonly endedAt: number | null
  readonly endReason: SessionEndReason | null
  readonly ip: string | null
  readonly userAgent: string | null
  readonly deviceId: string | null
  readonly method: string
  /** The application that the user was handed over to; null for a log-in at Gatebook itself. */
  readonly clientId: string | null
  /** The session by which that was done. */
  readonly parentId: string | null
}

/** What `sessions.disown` has done. */
export interface DisownedSession {
  readonly sessionId: string
  /** False when it was over before. */
  readonly wasLive: boolean
}

/** One row of the options, as it is in force. */
export interface ConfiguredSetting {
  readonly name: string
  /** Environment name of the server's setting. */
  readonly env: string
  /** `set` or `not set` for a secret. */
  readonly value: string | number | boolean | readonly string[] | null
  readonly unit: string | null
  /** `option`: passed by the application, or as a flag of the server. */
  readonly source: 'default' | 'environment' | 'file' | 'option'
}

export interface SessionFilter {
  readonly userId?: UserId | number
  /** Default `all`; without a user, nothing else. */
  readonly state?: 'live' | 'ended' | 'all'
}

export interface User {
  readonly id: UserId
  /** As it was typed at registration; null for the application's own users. */
  readonly identifier: string | null
  readonly createdAt: number
  /** Since when it is known that the identifier reaches this user; null while nobody has shown that. */
  readonly confirmedAt: number | null
  readonly disabledAt: number | null
  readonly roles: readonly string[]
}

/** A key that signs access tokens, as its state is now; the private half is never shown. */
export interface SigningKey {
  readonly id: string
  readonly algorithm: string
  /**
   * `pending`: published, signs nothing yet. `active`: signs. `retiring`: signs no more, verifies what it has signed.
   * `retired`, `revoked`: verifies nothing, after its time or before.
   */
  readonly state: 'pending' | 'active' | 'retiring' | 'retired' | 'revoked'
  readonly createdAt: number
  /** From when on it signs: as soon as everybody who keeps the JWKS has it. */
  readonly activatesAt: number
  readonly activatedAt: number | null
  /** When nothing that it has signed can be valid any more. */
  readonly retiresAt: number | null
  readonly endedAt: number | null
}

/** A user of another system. */
export interface ImportedUser {
  readonly identifier: string
  /** As it stands there; `docs/import.md` lists the kinds. */
  readonly passwordHash: string
  readonly roles?: readonly string[]
  /** Epoch milliseconds; default now. */
  readonly createdAt?: number
  readonly disabled?: boolean
  /** The other system has confirmed that mail to the identifier reaches the user. */
  readonly confirmed?: boolean
}

export interface ImportRefusal {
  /** From 1, in the order in which the rows came. */
  readonly row: number
  readonly code: ErrorCode
  /** Never the row itself: it may hold a hash. */
  readonly detail: string
}

export interface ImportCounts {
  readonly imported: number
  /** Made by an earlier run. */
  readonly present: number
  readonly refused: number
  /** Of the imported ones: with a hash that is fast to guess at, until they log in. */
  readonly weak: number
  /** Of the imported ones, by the kind of their hash. */
  readonly formats: Readonly<Record<string, number>>
}

export interface ImportReport extends ImportCounts {
  readonly dryRun: boolean
}

export interface ImportOptions {
  /** Checks every row and looks for those that are there; writes nothing. */
  readonly dryRun?: boolean
  readonly onRefused?: (refusal: ImportRefusal) => void
  /** After each batch. */
  readonly onProgress?: (counts: ImportCounts) => void
}

/** A secret that is good once. It is shown here and stored nowhere. */
export interface IssuedToken {
  readonly token: string
  /** Epoch milliseconds. */
  readonly expiresAt: number
}

export interface InvitationInput {
  /** The only one who may register with it; anybody who holds it when absent. */
  readonly identifier?: string
  /** What the new user is granted. */
  readonly roles?: readonly string[]
  /** 60 to 7,776,000; default `invitationSeconds`. */
  readonly expiresInSeconds?: number
  /** Sends it to `identifier` through `sendInvitation`. Default false: whoever asked hands it over. */
  readonly send?: boolean
}

export interface Invitation {
  readonly id: string
  readonly identifier: string | null
  readonly roles: readonly string[]
  /** A user id, or the name of a program. */
  readonly createdBy: string
  readonly createdAt: number
  readonly expiresAt: number
  readonly state: 'open' | 'used' | 'revoked' | 'expired'
  /** The user who registered with it. */
  readonly usedBy: UserId | null
}

export interface NewInvitation extends Invitation, IssuedToken {}

/** A session whose access tokens must be refused although they have not expired. */
export interface RevocationEntry {
  readonly sessionId: string
  readonly kind: 'ended' | 'stale'
  /** Access tokens with a smaller `gen` are refused; 0 for `ended`, where all are. */
  readonly generation: number
  /** Why the session has ended; null for `stale`. */
  readonly reason: string | null
  /** Epoch milliseconds. From then on no access token depends on it. */
  readonly forgetAt: number
}

export interface RevocationPage {
  readonly entries: readonly RevocationEntry[]
  /** What to ask for next, also when there is no entry. Opaque. */
  readonly next: string
  /** There is more to read at once. */
  readonly more: boolean
  /** Epoch milliseconds; where `more` is false, everything that was committed before stands on this page or on one of before. */
  readonly asOf: number
}

export interface RevocationStatus {
  /** Sessions that are remembered as revoked. */
  readonly entries: number
  /** Seconds since this process has last looked what others have revoked. */
  readonly staleSeconds: number
}

/** A program that may ask about tokens: a resource server, a gateway. */
export interface Client {
  readonly id: string
  readonly name: string
  /** Runs where its users can look, and has no secret (RFC 6749 §2.1): it can only be what users are handed over to. */
  readonly public: boolean
  /** Where a code may be sent to (RFC 6749 §3.1.2); none for a program that only asks about tokens. */
  readonly redirectUris: readonly string[]
  /** A user id, or the name of a program. */
  readonly createdBy: string
  readonly createdAt: number
  readonly revokedAt: number | null
}

export interface NewClient extends Client {
  /** Shown here and stored nowhere. */
  readonly secret: string
}

/** What an application asks for when it sends the browser of a user (RFC 6749 §4.1.1, RFC 7636 §4.3). */
export interface AuthorizationRequest {
  /** The live session of the user, of a log-in at Gatebook itself. */
  readonly sessionId: string
  readonly clientId: string
  /** One of those that the client was added with, as it stands there; the port of a loopback address is free (RFC 8252 §7.3). */
  readonly redirectUri: string
  /** Base64url of the SHA-256 of what the application keeps to itself until it redeems the code: `S256`. */
  readonly codeChallenge: string
}

export interface AuthorizationCode {
  /** Good for one use, for as long as `codeSeconds` says. */
  readonly code: string
  readonly expiresAt: number
}

/** What an application shows for a code (RFC 6749 §4.1.3, RFC 7636 §4.5). */
export interface CodeRedemption {
  readonly code: string
  readonly clientId: string
  /** Of a client that has one. */
  readonly clientSecret?: string
  readonly redirectUri: string
  readonly codeVerifier: string
}

/** What RFC 7662 calls the state of a token. */
export type Introspection =
  | { readonly active: false }
  | {
      readonly active: true
      readonly kind: 'access' | 'refresh'
      readonly userId: UserId
      readonly sessionId: string
      readonly authenticatedAt: number
      readonly expiresAt: number
      /** The application that the user was handed over to; null for a log-in at Gatebook itself. */
      readonly clientId: string | null
      /** Of an access token. */
      readonly claims: AccessClaims | null
    }

export interface HeaderReader {
  /** All headers of a name in one text, as the Fetch standard joins them; null for none. */
  get(name: string): string | null
  has(name: string): boolean
}

/**
 * What of a request the routes look at. A `Request` of the Fetch standard is one; what a framework has instead can be one as
 * well, without the cost of making such an object for each.
 */
export interface HttpRequest {
  readonly method: string
  /** Absolute; the host counts for nothing. */
  readonly url: string | Pick<URL, 'pathname' | 'search' | 'searchParams'>
  readonly headers: HeaderReader
  /** What somebody has read already, or what can be read once. */
  readonly body: ReadableStream<Uint8Array> | Uint8Array | null
  /** Aborted when nobody waits for the answer any more. */
  readonly signal?: AbortSignal
}

/** An answer before it is an object of the Fetch standard, or bytes on a socket. */
export interface HttpResponse {
  readonly status: number
  /** One value for each name; cookies stand by themselves. */
  readonly headers: Record<string, string>
  readonly setCookies: readonly string[]
  /** Bytes only where the content is no text; a stream goes on until it is cancelled, by whoever carries it. */
  readonly body: string | Uint8Array | ReadableStream<Uint8Array> | null
}

export interface Page<T> {
  readonly items: readonly T[]
  /** Opaque; null on the last page. */
  readonly next: string | null
}

export interface PageOptions {
  /** 1 to 500, default 50. */
  readonly limit?: number
  readonly cursor?: string
}

/** One value, or several of which one must be it: 1 to 100. */
export type OneOf<T extends string> = T | readonly T[]

/** The values of an event that a filter looks at. */
export interface EventValues {
  /** Exact type, or a prefix that ends in a dot followed by `*`, e.g. `session.*`. */
  readonly type?: OneOf<string>
  readonly outcome?: OneOf<Outcome>
  readonly reason?: OneOf<string>
  readonly user?: OneOf<UserId>
  /** As typed; found by its keyed digest, in clear or not. */
  readonly identifier?: OneOf<string>
  /** Address or CIDR. */
  readonly ip?: OneOf<string>
  readonly session?: OneOf<string>
  readonly event?: OneOf<string>
  readonly request?: OneOf<string>
  readonly device?: OneOf<string>
}

/** All filters must hold. Each one but `outcome` and `not` is answered from an index. */
export interface EventFilter extends EventValues {
  /** Leaves out the events that have any of these values. An event without a reason does not have this reason, so it stays. */
  readonly not?: EventValues
  /** Epoch milliseconds, inclusive. */
  readonly from?: number
  /** Epoch milliseconds, exclusive. */
  readonly to?: number
}

export interface NewApplicationEvent {
  readonly type: `app.${string}`
  /** Default `success`. */
  readonly outcome?: Outcome
  readonly userId?: UserId | number
  readonly sessionId?: string
  /** At most 4 KiB. Never personal data: it stands in the leaf in clear and cannot be erased. */
  readonly data?: EventData
}

export interface AppendOptions extends RequestContext {
  /**
   * A `pg` client, a `mysql2` connection (callback or promise form), a `node:sqlite` or better-sqlite3 handle that is in a
   * transaction, or a Kysely transaction; on the database that Gatebook runs on. Never a pool.
   */
  readonly tx?: object
}

export type * from './api-log.ts'
