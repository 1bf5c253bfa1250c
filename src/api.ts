/** The public types of the library, written by hand. The wiring is in `gatebook.ts`. */
import type { ErrorCode } from './errors.ts'
import type { LoginFailureReason, Outcome, SessionEndReason } from './event/catalogue.ts'
import type { Actor, AddressSource, EventData, LogEvent } from './event/event.ts'

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
  /** When it ends if it is not refreshed before. */
  readonly expiresAt: number
  readonly endedAt: number | null
  readonly endReason: SessionEndReason | null
  readonly ip: string | null
  readonly userAgent: string | null
  readonly deviceId: string | null
  readonly method: string
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

/** All filters must hold. Each one is answered from an index. */
export interface EventFilter {
  /** Exact type, or a prefix that ends in a dot followed by `*`, e.g. `session.*`. */
  readonly type?: string
  readonly outcome?: Outcome
  readonly reason?: string
  readonly user?: UserId
  /** As typed; found by its keyed digest, in clear or not. */
  readonly identifier?: string
  /** Address or CIDR. */
  readonly ip?: string
  readonly session?: string
  readonly request?: string
  readonly device?: string
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

/**
 * Everything that Gatebook does, over one database. Made by `createGatebook`. Every method throws ERR_ARGUMENT_INVALID for a
 * value of a wrong type, ERR_UNAVAILABLE while the database does not answer, and ERR_CLOSED after `close`.
 */
export interface Gatebook {
  readonly issuer: string

  /** The whole HTTP API: claims `/auth` and `/.well-known` (and what is switched on), answers 404 elsewhere. */
  fetch(request: Request, connection?: { readonly remoteAddress?: string | undefined }): Promise<Response>
  /** Whether `fetch` would answer this path. */
  handles(path: string): boolean
  /** Address with its provenance, user agent and request id of a request, for `attempts.begin` and the rest. */
  contextOf(headers: Headers, connection?: { readonly remoteAddress?: string | undefined }): RequestContext

  /**
   * The verified caller of a request, whatever framework it came through; no database read. A refusal is counted
   * (`token.refused`), and only then is `context` looked at. Throws ERR_TOKEN_MISSING, what `tokens.verify` throws,
   * ERR_FRESH_REQUIRED, ERR_FORBIDDEN.
   *
   * With `optional: true`, null where no token was presented; one that is bad is refused all the same.
   */
  authenticate(
    request: AuthenticatedRequest,
    requirements: AuthenticationRequirements & { readonly optional: boolean },
    context?: RequestContext | (() => RequestContext),
  ): Promise<AccessClaims | null>
  authenticate(
    request: AuthenticatedRequest,
    requirements?: AuthenticationRequirements,
    context?: RequestContext | (() => RequestContext),
  ): Promise<AccessClaims>

  /**
   * Throws ERR_REGISTRATION_CLOSED, ERR_CONFIRMATION_REQUIRED, ERR_INVITATION_REQUIRED, ERR_INVITATION_INVALID,
   * ERR_IDENTIFIER_TAKEN, ERR_PASSWORD_…, ERR_THROTTLED, ERR_OVERLOADED.
   */
  register(
    input: { readonly identifier: string; readonly password: string; readonly invitation?: string },
    context?: RequestContext,
  ): Promise<SessionTokens>
  /** Throws ERR_LOGIN_REFUSED, ERR_THROTTLED, ERR_OVERLOADED. */
  login(
    input: { readonly identifier: string; readonly password: string },
    context?: RequestContext,
  ): Promise<SessionTokens>
  /** Throws ERR_REFRESH_…. */
  refresh(refreshToken: string, context?: RequestContext): Promise<SessionTokens>
  /** Idempotent; also with an expired token or an ended session. Throws ERR_TOKEN_INVALID for what was never a token. */
  logout(
    input: { readonly accessToken?: string; readonly refreshToken?: string; readonly scope?: LogoutScope },
    context?: RequestContext,
  ): Promise<void>
  /** Ends the user's other sessions. Throws ERR_PASSWORD_WRONG, ERR_PASSWORD_…, ERR_THROTTLED, ERR_TOKEN_REVOKED. */
  changePassword(
    input: {
      readonly claims: Pick<AccessClaims, 'userId' | 'sessionId'>
      readonly currentPassword: string
      readonly newPassword: string
    },
    context?: RequestContext,
  ): Promise<void>

  /** With `registration: 'confirm'`: nobody learns here whether an address has an account. */
  readonly registrations: {
    /**
     * Sends a token to the address, or a note to its owner when it has an account. Resolves alike in both cases, and also
     * when so much was sent already that nothing is. Throws ERR_IDENTIFIER_NOT_EMAIL, ERR_REGISTRATION_CLOSED,
     * ERR_INVITATION_REQUIRED, ERR_MAIL_UNAVAILABLE, ERR_PASSWORD_…, ERR_THROTTLED, ERR_OVERLOADED.
     */
    request(input: { readonly identifier: string; readonly password: string }, context?: RequestContext): Promise<void>
    /**
     * Makes the user. `password` is the one of the request: the mail alone is not enough. Throws ERR_CONFIRMATION_INVALID,
     * ERR_PASSWORD_WRONG, ERR_IDENTIFIER_TAKEN, ERR_THROTTLED, ERR_OVERLOADED.
     */
    confirm(
      input: { readonly token: string; readonly password: string },
      context?: RequestContext,
    ): Promise<SessionTokens>
  }

  readonly passwordResets: {
    /**
     * Sends a token to the user of this identifier. Resolves alike when there is none. Throws ERR_MAIL_UNAVAILABLE,
     * ERR_IDENTIFIER_INVALID, ERR_THROTTLED (the address asked too often).
     */
    request(input: { readonly identifier: string }, context?: RequestContext): Promise<void>
    /** For operators and the application: a token to be handed over. Throws ERR_USER_NOT_FOUND. */
    issue(userId: UserId, context?: RequestContext): Promise<IssuedToken>
    /** Ends all sessions. Throws ERR_RESET_INVALID, ERR_PASSWORD_… (the token stays good), ERR_OVERLOADED. */
    complete(input: { readonly token: string; readonly newPassword: string }, context?: RequestContext): Promise<void>
  }

  readonly invitations: {
    /** Throws ERR_IDENTIFIER_INVALID, ERR_IDENTIFIER_NOT_EMAIL, ERR_ROLE_INVALID, ERR_MAIL_UNAVAILABLE. */
    create(input?: InvitationInput, context?: RequestContext): Promise<NewInvitation>
    /** Newest first. */
    list(options?: PageOptions): Promise<Page<Invitation>>
    /** False when it was of no use any more. Throws ERR_INVITATION_NOT_FOUND. */
    revoke(invitationId: string, context?: RequestContext): Promise<boolean>
  }

  readonly attempts: {
    /** Counts a failure before the application checks anything. Throws ERR_THROTTLED with `retryAfterSeconds`. */
    begin(input: AttemptInput, context?: RequestContext): Promise<Attempt>
  }

  readonly users: {
    /** Makes a user regardless of `registration`; starts no session. */
    create(
      input: { readonly identifier: string; readonly password: string; readonly roles?: readonly string[] },
      context?: RequestContext,
    ): Promise<User>
    /**
     * Brings users along from another system. Reads as fast as it writes, so a stream of any length will do; run again after
     * a stop, it goes on. Rows that are wrong are reported and left out. Throws what the iteration throws.
     */
    import(
      rows: AsyncIterable<ImportedUser> | Iterable<ImportedUser>,
      options?: ImportOptions,
      context?: RequestContext,
    ): Promise<ImportReport>
    /** By id. */
    find(userId: UserId | number): Promise<User | null>
    findByIdentifier(identifier: string): Promise<User | null>
    /** Newest first. */
    list(options?: PageOptions): Promise<Page<User>>
    /** Ends all sessions. Idempotent. */
    disable(userId: UserId | number, context?: RequestContext): Promise<void>
    enable(userId: UserId | number, context?: RequestContext): Promise<void>
    /** For operators: no current password; ends all sessions. */
    setPassword(userId: UserId, password: string, context?: RequestContext): Promise<void>
    /** Also for the application's own users. Access tokens issued before are refused as stale. Idempotent. */
    grantRole(userId: UserId | number, role: string, context?: RequestContext): Promise<void>
    revokeRole(userId: UserId | number, role: string, context?: RequestContext): Promise<void>
    /** Sets back the throttle of an account; returns how many counters there were. */
    unlock(identifier: string, context?: RequestContext): Promise<number>
    /** Whether anybody has this role; for the first start. Throws ERR_ROLE_INVALID. */
    anyoneHasRole(role: string): Promise<boolean>
    /** Others whose identifiers can be taken for the one of this user (Unicode UTS 39); at most 50. */
    lookalikes(userId: UserId): Promise<readonly User[]>
  }

  readonly sessions: {
    /** Starts a session for the application's own user without an attempt (its own second factor, its own sign-up). */
    start(userId: UserId | number, grant?: SessionGrant, context?: RequestContext): Promise<SessionTokens>
    find(sessionId: string): Promise<Session | null>
    /** Live ones, newest first; at most `sessionsPerUser`. */
    list(userId: UserId | number): Promise<readonly Session[]>
    /** False when it had ended already or never existed: then nothing happens and no event is left. */
    end(sessionId: string, reason: SessionEndReason, context?: RequestContext): Promise<boolean>
    /** Number of sessions that were ended. */
    endAll(userId: UserId | number, reason: SessionEndReason, context?: RequestContext): Promise<number>
  }

  readonly tokens: {
    /**
     * Checks the signature, every claim and the revocations; no database read. Throws ERR_TOKEN_INVALID,
     * ERR_TOKEN_EXPIRED, ERR_TOKEN_REVOKED, ERR_TOKEN_STALE.
     */
    verify(accessToken: string): Promise<AccessClaims>
    /** RFC 7517. Public keys only. */
    jwks(): { readonly keys: readonly Readonly<Record<string, unknown>>[] }
  }

  readonly keys: {
    /** Newest first, those that have ended too. */
    list(): Promise<readonly SigningKey[]>
    /**
     * Makes the key that signs next, as soon as everybody who keeps the JWKS has it; without being asked, this happens
     * every `keyRotationSeconds`. Returns the one that waits already, where one does. Throws ERR_KEY_SHARED with HS256.
     */
    rotate(context?: RequestContext): Promise<SigningKey>
    /**
     * For a key that somebody else may have: every access token that it has signed is refused from now on, and clients
     * refresh. Verifiers that keep the JWKS learn of it when they fetch it again. False when it had ended before. Throws
     * ERR_KEY_NOT_FOUND.
     */
    revoke(keyId: string, context?: RequestContext): Promise<boolean>
  }

  readonly log: {
    /**
     * One event of the application's own; its id. With `tx`, in the application's own open transaction: both commit or
     * neither does. Throws ERR_EVENT_INVALID, ERR_USER_ID_INVALID, ERR_TRANSACTION_UNKNOWN.
     */
    append(event: NewApplicationEvent, options?: AppendOptions): Promise<string>
    find(eventId: string): Promise<LogEvent | null>
    /** Newest first. Leaves no event; what admins search through HTTP and the CLI does (`log.read`). */
    search(filter: EventFilter, options?: PageOptions): Promise<Page<LogEvent>>
    /** One admin's or operator's search: like `search`, and leaves `log.read`. */
    read(filter: EventFilter, options: PageOptions, context: RequestContext): Promise<Page<LogEvent>>
    /** The user's own history, newest first. */
    activity(userId: UserId | number, options?: PageOptions): Promise<Page<LogEvent>>
    /**
     * Appends at once what is only counted (`token.refused`, floods), which happens by itself every second. For tests, and
     * for whoever is about to read.
     */
    flush(): Promise<void>
    /** Events as they are committed, oldest first, from now (or the last `last` ones) until the signal aborts or `close`. */
    tail(options?: {
      readonly last?: number
      readonly filter?: EventFilter
      readonly signal?: AbortSignal
    }): AsyncIterable<LogEvent>
  }

  /** Whether log-ins can be answered now. */
  ready(): Promise<{ readonly ready: boolean; readonly reason?: string }>
  /**
   * Lets nothing begin any more, waits for the calls that are under way (not for the one that it is called in, and ten
   * seconds at the most), ends tails and timers and, for databases that it opened itself, connections. Idempotent.
   */
  close(): Promise<void>
}

export type LogoutScope = 'current' | 'others' | 'all'
