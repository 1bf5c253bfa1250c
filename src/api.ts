/** The public types of the library, written by hand. The wiring is in `gatebook.ts`. */
import type {
  AccessClaims,
  AddressReport,
  AddressWindow,
  AppendOptions,
  Attempt,
  AttemptInput,
  AuditOptions,
  AuditRun,
  AuditStep,
  AuthenticatedRequest,
  AuthenticationRequirements,
  AuthorizationCode,
  AuthorizationRequest,
  Client,
  CodeRedemption,
  ConfiguredSetting,
  DisownedSession,
  ErasureOptions,
  ErasurePreview,
  ErasureReport,
  ErasureTarget,
  EventFilter,
  EventReceipt,
  ExpiryReport,
  HeaderReader,
  Hold,
  HoldInput,
  HttpRequest,
  HttpResponse,
  ImportedUser,
  ImportOptions,
  ImportReport,
  Introspection,
  Invitation,
  InvitationInput,
  IssuedToken,
  LogHead,
  LogIntegrity,
  LogOverview,
  LogoutScope,
  LogStatus,
  NewApplicationEvent,
  NewClient,
  NewInvitation,
  OverviewOptions,
  Page,
  PageOptions,
  PruningOptions,
  PruningReport,
  PublishedCheckpoint,
  RecoveredLog,
  RecoverOptions,
  RequestContext,
  RevocationPage,
  RevocationStatus,
  Session,
  SessionFilter,
  SessionGrant,
  SessionTokens,
  SigningKey,
  User,
  UserId,
  WatchOptions,
  WatchStep,
} from './api-objects.ts'
import type { SessionEndReason } from './event/catalogue.ts'
import type { LogEvent } from './event/event.ts'

export type * from './api-objects.ts'

/**
 * Everything that Gatebook does, over one database. Made by `createGatebook`. Every method throws ERR_ARGUMENT_INVALID for a
 * value of a wrong type, ERR_UNAVAILABLE while the database does not answer, and ERR_CLOSED after `close`.
 */
export interface Gatebook {
  readonly issuer: string

  /** The whole HTTP API: claims `/auth` and `/.well-known` (and what is switched on), answers 404 elsewhere. */
  fetch(request: Request, connection?: { readonly remoteAddress?: string | undefined }): Promise<Response>
  /** The same without objects of the Fetch standard, for adapters. */
  exchange(request: HttpRequest, connection?: { readonly remoteAddress?: string | undefined }): Promise<HttpResponse>
  /** Whether `fetch` would answer this path. */
  handles(path: string): boolean
  /** Address with its provenance, user agent and request id of a request, for `attempts.begin` and the rest. */
  contextOf(headers: HeaderReader, connection?: { readonly remoteAddress?: string | undefined }): RequestContext

  /**
   * The verified caller of a request, whatever framework it came through; no database read. The token is the one in
   * `Authorization` or, where the option `cookies` is on and there is no such header, in the cookie. A refusal is counted
   * (`token.refused`), and only then is `context` looked at. Throws ERR_TOKEN_MISSING, what `tokens.verify` throws,
   * ERR_CSRF, ERR_FRESH_REQUIRED, ERR_FORBIDDEN.
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
  /** Throws ERR_REFRESH_…; where that is because the session is over, `members.end_reason` says why it is. */
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
    /**
     * Whose identifiers begin like this, in their order; upper and lower case are one. Throws ERR_IDENTIFIER_INVALID,
     * ERR_CURSOR_INVALID.
     */
    search(beginning: string, options?: PageOptions): Promise<Page<User>>
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
    /** Those that have ended, the last one first. Throws ERR_QUERY_INVALID, ERR_CURSOR_INVALID. */
    listEnded(userId: UserId | number, options?: PageOptions): Promise<Page<Session>>
    /** Live ones and those that have ended, the last begun first. Throws ERR_QUERY_INVALID, ERR_CURSOR_INVALID. */
    search(filter: SessionFilter, options?: PageOptions): Promise<Page<Session>>
    /** False when it had ended already or never existed: then nothing happens and no event is left. */
    end(sessionId: string, reason: SessionEndReason, context?: RequestContext): Promise<boolean>
    /** Number of sessions that were ended. */
    endAll(userId: UserId | number, reason: SessionEndReason, context?: RequestContext): Promise<number>
    /**
     * "This wasn't me": ends the session of an event in the user's own history, and forgets its device. Ask for a new
     * password next. Idempotent. Throws ERR_EVENT_NOT_FOUND, also for the event of another user; ERR_EVENT_NOT_DISOWNABLE for one without a session.
     */
    disown(
      input: { readonly userId: UserId | number; readonly eventId: string },
      context?: RequestContext,
    ): Promise<DisownedSession>
  }

  readonly tokens: {
    /**
     * Checks the signature, every claim and the revocations; no database read. Throws ERR_TOKEN_INVALID,
     * ERR_TOKEN_EXPIRED, ERR_TOKEN_REVOKED, ERR_TOKEN_STALE.
     */
    verify(accessToken: string): Promise<AccessClaims>
    /**
     * What the database says of an access token or a refresh token at this moment, for whoever does not verify by himself
     * (RFC 7662). Never throws for a bad token, and never says why it is none.
     */
    introspect(token: string): Promise<Introspection>
    /**
     * Ends the session of an access token or a refresh token, also of an expired one (RFC 7009). False when there was
     * nothing to end.
     */
    revoke(token: string, context?: RequestContext): Promise<boolean>
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

  /** The sessions whose access tokens are refused before they expire: what verifiers elsewhere have to know. */
  readonly revocations: {
    /**
     * What is new since `after` (the `next` of the page before; without it, everything that still matters), oldest first.
     * Waits up to `waitSeconds` (0 to 30) for something new. What was committed late is never left out; an entry may come
     * twice. Throws ERR_CURSOR_INVALID, also when numbers have begun again (a restored backup, a start): then read without
     * `after`.
     */
    read(options?: {
      readonly after?: string
      readonly waitSeconds?: number
      readonly signal?: AbortSignal
    }): Promise<RevocationPage>
    /** Lets nobody wait any more: for a server that is about to stop. */
    release(): void
    status(): RevocationStatus
  }

  readonly clients: {
    /** Users can be handed over to one with `redirectUris`. Throws ERR_CLIENT_NAME_INVALID, ERR_REDIRECT_URI_INVALID. */
    create(
      input: { readonly name: string; readonly redirectUris?: readonly string[] },
      context?: RequestContext,
    ): Promise<NewClient>
    /**
     * An application that runs where its users can look and so can keep no secret: in a browser, on a phone (RFC 6749 §2.1). Throws
     * ERR_CLIENT_NAME_INVALID, ERR_REDIRECT_URI_INVALID.
     */
    createPublic(
      input: { readonly name: string; readonly redirectUris: readonly string[] },
      context?: RequestContext,
    ): Promise<Client>
    find(clientId: string): Promise<Client | null>
    /** Newest first, the revoked ones too. */
    list(options?: PageOptions): Promise<Page<Client>>
    /** From now on its secret is good for nothing. False when it was before. Throws ERR_CLIENT_NOT_FOUND. */
    revoke(clientId: string, context?: RequestContext): Promise<boolean>
    /** Throws ERR_CLIENT_INVALID, whatever is wrong. */
    authenticate(
      credentials: { readonly id: string; readonly secret: string },
      context?: RequestContext,
    ): Promise<Client>
  }

  /**
   * A user who is logged in goes on to an application, also of another site: a code through the browser, tokens for the code (RFC 6749
   * §4.1, RFC 7636). The application has a session of its own, which ends with the one that it came of.
   */
  readonly authorizations: {
    /**
     * Before a browser is sent anywhere. Throws ERR_CLIENT_NOT_FOUND and ERR_REDIRECT_URI_NOT_ALLOWED: it must not be sent to that
     * address then (RFC 6749 §4.1.2.1).
     */
    check(request: Pick<AuthorizationRequest, 'clientId' | 'redirectUri'>, context?: RequestContext): Promise<Client>
    /** Throws what `check` throws, ERR_CODE_CHALLENGE_INVALID, and ERR_SESSION_NOT_FOUND for a session that is over or an application's. */
    issue(request: AuthorizationRequest, context?: RequestContext): Promise<AuthorizationCode>
    /**
     * The tokens of a session of the application's own, once. Whoever shows the code and its verifier a second time ends it. Throws
     * ERR_CODE_INVALID, and ERR_CLIENT_INVALID.
     */
    redeem(redemption: CodeRedemption, context?: RequestContext): Promise<SessionTokens>
    /** What `refresh` is for a log-in at Gatebook itself (RFC 6749 §6). Throws what it throws, and ERR_CLIENT_INVALID. */
    refresh(
      input: { readonly refreshToken: string; readonly clientId: string; readonly clientSecret?: string },
      context?: RequestContext,
    ): Promise<SessionTokens>
    /**
     * Ends the session of a token, as `tokens.revoke` does (RFC 7009): of its own for a client with `redirectUris`, of any for one without.
     * False when there was nothing to end. Throws ERR_CLIENT_INVALID.
     */
    revoke(
      input: { readonly token: string; readonly clientId: string; readonly clientSecret?: string },
      context?: RequestContext,
    ): Promise<boolean>
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
    /** What happened in a window, in numbers, counted at most every few seconds. Leaves no event. Throws ERR_QUERY_INVALID. */
    overview(options?: OverviewOptions): Promise<LogOverview>
    /** Who came from an address or a CIDR. Leaves `log.read`. Throws ERR_QUERY_INVALID. */
    address(address: string, window: AddressWindow, context: RequestContext): Promise<AddressReport>
    /**
     * Appends at once what is only counted (`token.refused`, floods), which happens by itself every second. For tests, and
     * for whoever is about to read.
     */
    flush(): Promise<void>
    /** What this process knows of the signing of the log. */
    status(): LogStatus
    /** What is signed, published and anchored, what stops it, and the last audit. Reads no entries, and leaves no event. */
    integrity(): Promise<LogIntegrity>
    /**
     * Makes a guard in place of one that is lost, after reading the whole log. Leaves `log.epoch`. Throws ERR_LOG_KEY_MISSING,
     * ERR_LOG_GUARD_PRESENT, ERR_LOG_DIVERGED, ERR_UNAVAILABLE.
     */
    adopt(context?: RequestContext): Promise<RecoveredLog>
    /**
     * Begins a new epoch after a backup was restored, or without what somebody has put behind the signed entries (`quarantine`), so
     * that the log is signed again. Leaves `log.epoch`. Throws
     * ERR_LOG_KEY_MISSING, ERR_LOG_INTACT, ERR_LOG_GUARD_MISSING, ERR_FILE, ERR_LOG_DIVERGED, ERR_UNAVAILABLE.
     */
    recover(options?: RecoverOptions, context?: RequestContext): Promise<RecoveredLog>
    /** Events as they are committed, oldest first, from now (or the last `last` ones) until the signal aborts or `close`. */
    tail(options?: {
      readonly last?: number
      readonly filter?: EventFilter
      readonly signal?: AbortSignal
    }): AsyncIterable<LogEvent>
    /**
     * For many who watch at once: one reader of the database for all of them. Events in the order of their places in the log, which
     * they get within a second of their commit, from now or from behind a cursor, until the signal aborts, `release` or
     * `close`; none is left out, and none comes twice. Leaves no event. Throws ERR_QUERY_INVALID, ERR_CURSOR_INVALID, and
     * ERR_CLOSED after `release`.
     */
    watch(options?: WatchOptions): AsyncIterable<WatchStep>
    /** Ends every watch, and lets none begin: for a server that is about to stop. */
    release(): void
    /**
     * Forgets what is older than the options keep it, as it happens by itself every ten minutes. With `dryRun`, only counts.
     * Nothing can be forgotten earlier than that.
     */
    expire(options?: { readonly dryRun?: boolean }, context?: RequestContext): Promise<ExpiryReport>
    /**
     * Deletes the beginning of the log, in steps of 256 entries, with their events: as far as all of it is older than the longest
     * of the retention options, nothing is held, and a published checkpoint covers it, which an anchor has where there are
     * any. What was proven stays proven. With `dryRun`, only looks. Leaves `log.pruned`. When it was stopped, another call or
     * another process goes on. Throws ERR_LOG_TAMPERED where what would go is not what was signed.
     */
    prune(options?: PruningOptions, context?: RequestContext): Promise<PruningReport>
    /** What `erase` would do. Throws ERR_USER_NOT_FOUND, ERR_USER_ID_INVALID, ERR_IDENTIFIER_INVALID, ERR_QUERY_INVALID. */
    previewErasure(target: ErasureTarget): Promise<ErasurePreview>
    /**
     * Erases the personal data of one user, who is deleted along, or of one identifier. When it resolves, they are gone; when
     * it was stopped, another call or another process goes on. Throws what `previewErasure` throws, ERR_HELD (`members.hold`
     * names the hold), ERR_REFERENCE_INVALID.
     */
    erase(target: ErasureTarget, options?: ErasureOptions, context?: RequestContext): Promise<ErasureReport>
    /** Legal holds: what they cover neither expires nor is erased. */
    readonly holds: {
      /** Throws ERR_HOLD_INVALID, ERR_REFERENCE_INVALID, ERR_USER_ID_INVALID, ERR_IDENTIFIER_INVALID. */
      add(input: HoldInput, context?: RequestContext): Promise<Hold>
      /** All that are in force, oldest first. */
      list(): Promise<readonly Hold[]>
      /** What it covered is forgotten from now on as if it had never been. Throws ERR_HOLD_NOT_FOUND. */
      release(holdId: string, context?: RequestContext): Promise<void>
    }

    /**
     * That an event stands in the log, for others to check offline. With a context, as admins and operators ask, it leaves
     * `log.exported`. Throws ERR_EVENT_NOT_FOUND; ERR_EVENT_PENDING with `retryAfterSeconds` while no signed checkpoint
     * covers it; ERR_ENTRY_PRUNED; ERR_LOG_TAMPERED where the database does not agree with what was signed: a receipt that
     * does not verify is never returned.
     */
    prove(eventId: string, context?: RequestContext): Promise<EventReceipt>
    /** Throws ERR_LOG_TAMPERED for a checkpoint that no key of the log has signed. */
    checkpoint(): Promise<LogHead>
    /**
     * The newest published checkpoint (`checkpoint`), or the tile or entry bundle at its path under that (`tile/…`, C2SP
     * tlog-tiles); null for what that does not cover. Throws ERR_LOG_TAMPERED for what is not part of the tree that was signed.
     */
    file(path: string): Promise<Uint8Array | null>
    /**
     * The leaves from one index to another, in groups of at most 256 that begin where entry bundles do. As they are stored:
     * only a root that is computed over them shows whether they are those that were signed. With a context it leaves
     * `log.exported`. Throws ERR_ENTRY_PRUNED, ERR_LOG_TAMPERED.
     */
    leaves(
      range: { readonly from: number; readonly to: number },
      context?: RequestContext,
    ): AsyncIterable<readonly Uint8Array[]>
    /** Published checkpoints, oldest first, from behind this one. */
    checkpoints(after?: { readonly epoch: number; readonly size: number }): AsyncIterable<PublishedCheckpoint>
    /**
     * Re-reads the whole log and says what does not fit: findings as they are found, progress in between, a summary at the
     * end. Leaves `log.audited` before the summary. Throws ERR_AUDIT_INPUT for keys that cannot be used, ERR_FILE for files,
     * and ERR_ENTRY_PRUNED when what comes next was pruned meanwhile: then it has to be begun anew.
     */
    audit(options?: AuditOptions, context?: RequestContext): AsyncIterable<AuditStep>
  }

  /** `log.audit` in the background of this process, one at a time. */
  readonly audits: {
    /** Leaves `log.audited` at its end. Throws ERR_AUDIT_RUNNING. */
    start(options?: { readonly reconcile?: boolean }, context?: RequestContext): Promise<AuditRun>
    /** The one that runs, or the last one that ran in this process. */
    current(): AuditRun | null
    /** Breaks it off, and leaves no event. False when none runs. */
    cancel(): Promise<boolean>
  }

  /** The settings in force, in the order of their table; never a secret. */
  configuration(): readonly ConfiguredSetting[]
  /** Whether log-ins can be answered now. */
  ready(): Promise<{ readonly ready: boolean; readonly reason?: string }>
  /**
   * Lets nothing begin any more, waits for the calls that are under way (not for the one that it is called in, and ten
   * seconds at the most), ends tails and timers and, for databases that it opened itself, connections. Idempotent.
   */
  close(): Promise<void>
}
