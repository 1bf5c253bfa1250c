import { GatebookError } from './errors.ts'
import type { Anchor } from './log/anchor.ts'
import { ANCHOR_SEPARATOR, type AnchorSpec, parseAnchors } from './log/anchor-setting.ts'
import type { Dialect } from './store/dialect.ts'
import type { Clock } from './util/clock.ts'

/** One row per setting: what it is, how it is given, and what is allowed. `docs/configuration.md` is generated from it. */
export interface OptionRow {
  /** Environment name; with `_FILE` behind it, the name of a file that holds the value. */
  readonly env: string
  readonly kind: 'string' | 'integer' | 'boolean' | 'enum' | 'list' | 'url'
  readonly default: string | number | boolean | readonly string[] | null
  readonly unit?: 'days' | 'seconds' | 'milliseconds' | 'bytes' | 'KiB' | 'characters'
  /** Inclusive. */
  readonly range?: readonly [number, number]
  /** The smallest value beside 0. */
  readonly least?: number
  readonly values?: readonly string[]
  /** Of a list in one text; a comma unless its items have commas in them. */
  readonly separator?: RegExp
  /** `server` rows are settings of `gatebook serve` and the CLI; `library` rows are options of `createGatebook` too. */
  readonly scope: 'library' | 'server'
  /** Its value is never shown, nor repeated in a message. */
  readonly secret?: true
  readonly about: string
}

/** Where a setting comes from; a flag is one that is given by whoever starts the program, an option by whoever calls the library. */
export type SettingSource = 'default' | 'environment' | 'file' | 'flag' | 'option'

const DAY = 86_400

export const OPTIONS: Readonly<Record<OptionName, OptionRow>> = {
  database: {
    env: 'GATEBOOK_DATABASE',
    kind: 'string',
    default: 'sqlite:gatebook.db',
    scope: 'server',
    secret: true,
    about:
      'Where the tables are: `sqlite:PATH`, `postgres://…` or `mysql://…`. In the library: `sqlite(…)`, `postgres(…)` or `mysql(…)`.',
  },
  host: {
    env: 'GATEBOOK_HOST',
    kind: 'string',
    default: '127.0.0.1',
    scope: 'server',
    about: 'Address to listen on. `0.0.0.0` for every interface.',
  },
  port: {
    env: 'GATEBOOK_PORT',
    kind: 'integer',
    default: 4280,
    range: [0, 65535],
    scope: 'server',
    about: 'Port to listen on; 0 for any free one.',
  },
  drainSeconds: {
    env: 'GATEBOOK_DRAIN_SECONDS',
    kind: 'integer',
    default: 10,
    unit: 'seconds',
    range: [0, 300],
    scope: 'server',
    about: 'How long a shutdown waits for requests that are under way.',
  },
  diagnosticsLevel: {
    env: 'GATEBOOK_DIAGNOSTICS_LEVEL',
    kind: 'enum',
    default: 'info',
    values: ['error', 'warn', 'info', 'debug', 'silent'],
    scope: 'server',
    about: 'How much the process says on its standard error.',
  },
  mailer: {
    env: 'GATEBOOK_MAILER',
    kind: 'enum',
    default: null,
    values: ['off', 'console', 'smtp'],
    scope: 'server',
    about:
      'What becomes of mail. Unset: `smtp` where `smtpUrl` is set; otherwise `console`, which prints it, tokens and all, and `off` with `NODE_ENV=production`.',
  },
  smtpUrl: {
    env: 'GATEBOOK_SMTP_URL',
    kind: 'string',
    default: null,
    scope: 'server',
    secret: true,
    about:
      'Server that takes mail: `smtps://USER:PASSWORD@HOST` or `smtp://…:587`. Without TLS only on this machine, unless `?requireTLS=false` stands behind it.',
  },
  mailFrom: {
    env: 'GATEBOOK_MAIL_FROM',
    kind: 'string',
    default: null,
    scope: 'server',
    about: 'Sender of mail, e.g. `Example <no-reply@example.org>`. Needed with `smtp`.',
  },
  mailLanguage: {
    env: 'GATEBOOK_MAIL_LANGUAGE',
    kind: 'enum',
    default: 'en',
    values: ['en', 'ko'],
    scope: 'server',
    about: 'Language of mail to those whose browser asks for none of these.',
  },
  applicationName: {
    env: 'GATEBOOK_APPLICATION_NAME',
    kind: 'string',
    default: null,
    scope: 'server',
    about: 'What the application is called in mail; the host of the issuer unless set.',
  },
  pages: {
    env: 'GATEBOOK_PAGES',
    kind: 'enum',
    default: 'on',
    values: ['on', 'off'],
    scope: 'server',
    about:
      'Whether the server has pages to log in, register and look after an account. They keep tokens in cookies, so `cookies` is `lax` with them unless set, and they are off where it is `off`.',
  },
  brandColor: {
    env: 'GATEBOOK_BRAND_COLOR',
    kind: 'string',
    default: '#2f5bd0',
    scope: 'server',
    about:
      'Colour of the buttons and links of the pages, as `#rrggbb`. It is made darker or lighter where it could not be read.',
  },
  brandLogo: {
    env: 'GATEBOOK_BRAND_LOGO',
    kind: 'string',
    default: null,
    scope: 'server',
    about:
      'File with a logo for the pages (svg, png, jpg or webp, up to 256 KiB), instead of the name of the application.',
  },
  resetUrl: {
    env: 'GATEBOOK_RESET_URL',
    kind: 'url',
    default: null,
    scope: 'server',
    about:
      'Page of the application that asks for a new password. Mail links to it with `#token=…` behind it. Unset: the page of the server; without one (`pages`), mail holds the token alone.',
  },
  confirmationUrl: {
    env: 'GATEBOOK_CONFIRMATION_URL',
    kind: 'url',
    default: null,
    scope: 'server',
    about: 'The same for the page that confirms a registration.',
  },
  invitationUrl: {
    env: 'GATEBOOK_INVITATION_URL',
    kind: 'url',
    default: null,
    scope: 'server',
    about: 'The same for the page where somebody who was invited registers.',
  },

  issuer: {
    env: 'GATEBOOK_ISSUER',
    kind: 'url',
    default: null,
    scope: 'library',
    about:
      'The `iss` claim: the public URL of this installation, without a slash at the end. Required; the server outside production falls back to the address that it listens on.',
  },
  audience: {
    env: 'GATEBOOK_AUDIENCE',
    kind: 'string',
    default: null,
    scope: 'library',
    about: 'The `aud` claim; the issuer unless set.',
  },
  clientId: {
    env: 'GATEBOOK_CLIENT_ID',
    kind: 'string',
    default: 'gatebook',
    scope: 'library',
    about: 'The `client_id` claim.',
  },
  authorizationUrl: {
    env: 'GATEBOOK_AUTHORIZATION_URL',
    kind: 'url',
    default: null,
    scope: 'library',
    about:
      'Where an application sends the browser of a user who is to be handed over to it (RFC 6749 §3.1), for the metadata. The server’s own page `/oauth/authorize` unless set; without one, a page of yours that calls `authorizations.issue`.',
  },
  secret: {
    env: 'GATEBOOK_SECRET',
    kind: 'string',
    default: null,
    scope: 'library',
    secret: true,
    about:
      'The master secret, at least 32 random characters; or several as `VERSION:SECRET`, separated by commas. The highest version makes new things, the others stay valid.',
  },
  secretFile: {
    env: 'GATEBOOK_SECRET_FILE',
    kind: 'string',
    default: 'gatebook.secret',
    scope: 'library',
    about:
      'File with the master secret, for when `secret` is not set. Made at the first start, except with `NODE_ENV=production`.',
  },
  registration: {
    env: 'GATEBOOK_REGISTRATION',
    kind: 'enum',
    default: 'open',
    values: ['open', 'confirm', 'invite', 'closed'],
    scope: 'library',
    about:
      'Who may register: anybody (`open`; it cannot hide that a name is taken, and is throttled by address), anybody who can read the mail to the address (`confirm`), holders of an invitation (`invite`), nobody (`closed`).',
  },
  resetSeconds: {
    env: 'GATEBOOK_RESET_SECONDS',
    kind: 'integer',
    default: 1800,
    unit: 'seconds',
    range: [60, DAY],
    scope: 'library',
    about: 'Life of a token for a new password.',
  },
  confirmationSeconds: {
    env: 'GATEBOOK_CONFIRMATION_SECONDS',
    kind: 'integer',
    default: DAY,
    unit: 'seconds',
    range: [60, 7 * DAY],
    scope: 'library',
    about: 'How long a registration waits for its address to be confirmed.',
  },
  invitationSeconds: {
    env: 'GATEBOOK_INVITATION_SECONDS',
    kind: 'integer',
    default: 7 * DAY,
    unit: 'seconds',
    range: [60, 90 * DAY],
    scope: 'library',
    about: 'Life of an invitation that does not say otherwise.',
  },
  mailsPerHour: {
    env: 'GATEBOOK_MAILS_PER_HOUR',
    kind: 'integer',
    default: 5,
    range: [1, 100],
    scope: 'library',
    about: 'Mails of one kind that one account can be sent in an hour, whoever asks for them.',
  },
  autoMigrate: {
    env: 'GATEBOOK_AUTO_MIGRATE',
    kind: 'boolean',
    default: true,
    scope: 'library',
    about:
      'Whether the tables are made and brought up to date at start-up. Otherwise `gatebook migrate` does it, and a start without is refused.',
  },

  signingAlgorithm: {
    env: 'GATEBOOK_SIGNING_ALGORITHM',
    kind: 'enum',
    default: 'ES256',
    values: ['ES256', 'EdDSA', 'RS256', 'HS256'],
    scope: 'library',
    about: 'Algorithm of new signing keys. HS256 needs `hs256Secret` and suits one trust domain only.',
  },
  hs256Secret: {
    env: 'GATEBOOK_HS256_SECRET',
    kind: 'string',
    default: null,
    scope: 'library',
    secret: true,
    about: 'Secret that the verifiers of HS256 tokens share, at least 32 bytes. Never published.',
  },
  accessTokenSeconds: {
    env: 'GATEBOOK_ACCESS_TOKEN_SECONDS',
    kind: 'integer',
    default: 600,
    unit: 'seconds',
    range: [30, 3600],
    scope: 'library',
    about: 'Life of an access token.',
  },
  accessTokenJitterPercent: {
    env: 'GATEBOOK_ACCESS_TOKEN_JITTER_PERCENT',
    kind: 'integer',
    default: 5,
    range: [0, 20],
    scope: 'library',
    about:
      'Each access token lives shorter by a random share of up to so many percent, so that tabs and devices do not all refresh at the same instant; `expires_in` tells the true life.',
  },
  accessTokenMaxBytes: {
    env: 'GATEBOOK_ACCESS_TOKEN_MAX_BYTES',
    kind: 'integer',
    default: 4096,
    unit: 'bytes',
    range: [1024, 8192],
    scope: 'library',
    about: 'Longer access tokens are not issued, because proxies and servers cap their headers.',
  },
  keyRotationSeconds: {
    env: 'GATEBOOK_KEY_ROTATION_SECONDS',
    kind: 'integer',
    default: 90 * DAY,
    unit: 'seconds',
    range: [0, 400 * DAY],
    scope: 'library',
    about:
      'After so long another key signs access tokens, without anybody noticing; 0: only when somebody asks for it.',
  },
  verifiedTokens: {
    env: 'GATEBOOK_VERIFIED_TOKENS',
    kind: 'integer',
    default: 1000,
    range: [0, 100_000],
    scope: 'library',
    about:
      'So many access tokens, twice at the most, are kept with what they say, so that their signature is checked once; 0 checks it each time.',
  },
  refreshIdleSeconds: {
    env: 'GATEBOOK_REFRESH_IDLE_SECONDS',
    kind: 'integer',
    default: 14 * DAY,
    unit: 'seconds',
    range: [60, 90 * DAY],
    scope: 'library',
    about: 'A session that is not refreshed for so long expires.',
  },
  refreshAbsoluteSeconds: {
    env: 'GATEBOOK_REFRESH_ABSOLUTE_SECONDS',
    kind: 'integer',
    default: 30 * DAY,
    unit: 'seconds',
    range: [60, 365 * DAY],
    scope: 'library',
    about: 'A session expires after so long, however often it is refreshed.',
  },
  refreshGraceSeconds: {
    env: 'GATEBOOK_REFRESH_GRACE_SECONDS',
    kind: 'integer',
    default: 20,
    unit: 'seconds',
    range: [0, 60],
    scope: 'library',
    about: 'How long a spent refresh token returns the same successor again.',
  },
  sessionsPerUser: {
    env: 'GATEBOOK_SESSIONS_PER_USER',
    kind: 'integer',
    default: 50,
    range: [1, 1000],
    scope: 'library',
    about: 'One session more ends the oldest one.',
  },
  revocationPollMilliseconds: {
    env: 'GATEBOOK_REVOCATION_POLL_MILLISECONDS',
    kind: 'integer',
    default: 500,
    unit: 'milliseconds',
    range: [50, 2000],
    scope: 'library',
    about: 'How often a process looks for sessions that others have ended.',
  },
  revocationMaxStaleSeconds: {
    env: 'GATEBOOK_REVOCATION_MAX_STALE_SECONDS',
    kind: 'integer',
    default: 60,
    unit: 'seconds',
    range: [5, 3600],
    scope: 'library',
    about:
      'For how long a process may be unable to look for them. After that it does what `revocationFailMode` says until it can again.',
  },
  revocationFailMode: {
    env: 'GATEBOOK_REVOCATION_FAIL_MODE',
    kind: 'enum',
    default: 'closed',
    values: ['closed', 'open'],
    scope: 'library',
    about:
      'What becomes of access tokens then: all are refused with 503 (`closed`), or the ones of sessions that others have ended meanwhile are good until they expire (`open`).',
  },

  passwordMinLength: {
    env: 'GATEBOOK_PASSWORD_MIN_LENGTH',
    kind: 'integer',
    default: 15,
    unit: 'characters',
    range: [8, 64],
    scope: 'library',
    about: 'NIST SP 800-63B-4 asks for 15 where the password is the only factor.',
  },
  passwordMaxLength: {
    env: 'GATEBOOK_PASSWORD_MAX_LENGTH',
    kind: 'integer',
    default: 256,
    unit: 'characters',
    range: [256, 1024],
    scope: 'library',
    about: 'Longer ones are refused, never truncated.',
  },
  argon2MemoryKib: {
    env: 'GATEBOOK_ARGON2_MEMORY_KIB',
    kind: 'integer',
    default: 19_456,
    unit: 'KiB',
    range: [7168, 1_048_576],
    scope: 'library',
    about: 'Argon2id memory. OWASP: 19,456 with 2 iterations.',
  },
  argon2Iterations: {
    env: 'GATEBOOK_ARGON2_ITERATIONS',
    kind: 'integer',
    default: 2,
    range: [1, 20],
    scope: 'library',
    about: 'Argon2id passes over the memory.',
  },
  argon2Parallelism: {
    env: 'GATEBOOK_ARGON2_PARALLELISM',
    kind: 'integer',
    default: 1,
    range: [1, 8],
    scope: 'library',
    about: 'Argon2id lanes.',
  },
  hashConcurrency: {
    env: 'GATEBOOK_HASH_CONCURRENCY',
    kind: 'integer',
    default: null,
    range: [1, 256],
    scope: 'library',
    about:
      'Passwords hashed at once. By default one less than the cores (at least 1, at most one less than the threads of libuv), so that a flood of log-ins leaves everybody else a core.',
  },
  hashQueueLimit: {
    env: 'GATEBOOK_HASH_QUEUE_LIMIT',
    kind: 'integer',
    default: 100,
    range: [1, 10_000],
    scope: 'library',
    about: 'Passwords that may wait for their turn; one more is answered 503 with Retry-After.',
  },

  throttlePairFree: {
    env: 'GATEBOOK_THROTTLE_PAIR_FREE',
    kind: 'integer',
    default: 5,
    range: [1, 100],
    scope: 'library',
    about: 'Failures of one account from one address (or known device) before the waits begin, doubling from 1 s.',
  },
  throttlePairMaxWaitSeconds: {
    env: 'GATEBOOK_THROTTLE_PAIR_MAX_WAIT_SECONDS',
    kind: 'integer',
    default: 900,
    unit: 'seconds',
    range: [1, DAY],
    scope: 'library',
    about: 'The longest of those waits.',
  },
  throttleAddressFailures: {
    env: 'GATEBOOK_THROTTLE_ADDRESS_FAILURES',
    kind: 'integer',
    default: 60,
    range: [1, 100_000],
    scope: 'library',
    about: 'Failures that one address (IPv6: one /64) has in its window.',
  },
  throttleAddressWindowSeconds: {
    env: 'GATEBOOK_THROTTLE_ADDRESS_WINDOW_SECONDS',
    kind: 'integer',
    default: 600,
    unit: 'seconds',
    range: [1, DAY],
    scope: 'library',
    about: 'The window of an address.',
  },
  throttleAccountFailures: {
    env: 'GATEBOOK_THROTTLE_ACCOUNT_FAILURES',
    kind: 'integer',
    default: 100,
    range: [1, 100_000],
    scope: 'library',
    about: 'Failures that one account has in its window, from devices that it does not know.',
  },
  throttleAccountWindowSeconds: {
    env: 'GATEBOOK_THROTTLE_ACCOUNT_WINDOW_SECONDS',
    kind: 'integer',
    default: DAY,
    unit: 'seconds',
    range: [60, 30 * DAY],
    scope: 'library',
    about: 'The window of an account.',
  },

  trustedProxies: {
    env: 'GATEBOOK_TRUSTED_PROXIES',
    kind: 'list',
    default: [],
    scope: 'library',
    about:
      'Addresses and CIDRs of the proxies in front, separated by commas, or how many there are (1 to 9). Forwarding headers count only when they come from one of these.',
  },
  corsOrigins: {
    env: 'GATEBOOK_CORS_ORIGINS',
    kind: 'list',
    default: [],
    scope: 'library',
    about: 'Origins whose pages may call the API, separated by commas.',
  },
  cookies: {
    env: 'GATEBOOK_COOKIES',
    kind: 'enum',
    default: 'off',
    values: ['off', 'lax', 'strict'],
    scope: 'library',
    about:
      'Whether pages of the origin of `issuer` may have their tokens in cookies, and which `SameSite` these have; see [cookies](cookies.md). The server has `lax`, or `strict` without its `pages`.',
  },
  bodyLimitBytes: {
    env: 'GATEBOOK_BODY_LIMIT_BYTES',
    kind: 'integer',
    default: 16_384,
    unit: 'bytes',
    range: [4096, 1_048_576],
    scope: 'library',
    about: 'Longer request bodies are refused.',
  },
  adminPath: {
    env: 'GATEBOOK_ADMIN_PATH',
    kind: 'string',
    default: null,
    scope: 'library',
    about:
      'Prefix of the admin API, e.g. `/admin`; the routes are off while it is empty. The server has them under `/admin`.',
  },
  dashboard: {
    env: 'GATEBOOK_DASHBOARD',
    kind: 'boolean',
    default: false,
    scope: 'library',
    about:
      'Whether the [dashboard](dashboard.md) is served under `adminPath`. The server does so unless this is `false`.',
  },
  operationsPath: {
    env: 'GATEBOOK_OPERATIONS_PATH',
    kind: 'string',
    default: null,
    scope: 'library',
    about:
      'Prefix of `/healthz`, `/readyz`, `/metrics` and `/openapi.json`; off while unset. The server has them at its root.',
  },
  oauthPath: {
    env: 'GATEBOOK_OAUTH_PATH',
    kind: 'string',
    default: null,
    scope: 'library',
    about:
      'Prefix of `/introspect` (RFC 7662) and `/revoke` (RFC 7009), e.g. `/oauth`; off while it is empty. The server has them under `/oauth`.',
  },
  logPath: {
    env: 'GATEBOOK_LOG_PATH',
    kind: 'string',
    default: null,
    scope: 'library',
    about:
      'Prefix of `/checkpoint` and `/tile/…` (C2SP tlog-tiles), e.g. `/log`; off while it is empty. The server has them under `/log`.',
  },
  logPublic: {
    env: 'GATEBOOK_LOG_PUBLIC',
    kind: 'boolean',
    default: false,
    scope: 'library',
    about:
      'Whether everybody may read the log under `logPath`, and caches may keep it, instead of admins alone. Entries name nobody; they tell what happened and when.',
  },

  userLogsView: {
    env: 'GATEBOOK_USER_LOGS_VIEW',
    kind: 'string',
    default: 'user_logs',
    scope: 'library',
    about: 'Name of the view with one row per log-in; empty for none.',
  },
  userLogEventsView: {
    env: 'GATEBOOK_USER_LOG_EVENTS_VIEW',
    kind: 'string',
    default: 'user_log_events',
    scope: 'library',
    about: 'Name of the view with one row per log-in and per logout; empty for none.',
  },
  userLogsUserId: {
    env: 'GATEBOOK_USER_LOGS_USER_ID',
    kind: 'enum',
    default: 'text',
    values: ['text', 'integer'],
    scope: 'library',
    about: 'Type of `user_id` in the views, so that it joins with the users table of the application.',
  },
  logKey: {
    env: 'GATEBOOK_LOG_KEY',
    kind: 'string',
    default: null,
    scope: 'library',
    secret: true,
    about:
      'The key that signs the log, from `gatebook log keygen`; or several, the newest one first, separated by commas, while it is being changed.',
  },
  logKeyFile: {
    env: 'GATEBOOK_LOG_KEY_FILE',
    kind: 'string',
    default: 'gatebook.log-key',
    scope: 'library',
    about:
      'File with that key, for when `logKey` is not set. Made at the first start, except with `NODE_ENV=production`.',
  },
  logGuard: {
    env: 'GATEBOOK_LOG_GUARD',
    kind: 'string',
    default: 'gatebook.log-guard',
    scope: 'library',
    about:
      'File with the newest checkpoint of the log, outside of the database, which the log must extend. Every process that signs has to have the same one. `:memory:`, for tests, guards against nothing.',
  },
  logSigning: {
    env: 'GATEBOOK_LOG_SIGNING',
    kind: 'enum',
    default: 'on',
    values: ['on', 'off'],
    scope: 'library',
    about:
      'Whether this process signs the log. `off`: its events wait for one that does, which has the key and the guard.',
  },
  checkpointSeconds: {
    env: 'GATEBOOK_CHECKPOINT_SECONDS',
    kind: 'integer',
    default: 60,
    unit: 'seconds',
    range: [1, 3600],
    scope: 'library',
    about:
      'How often a checkpoint of the log is published and anchored, when there are new events; after 1,000 of them at once.',
  },
  sequencerMilliseconds: {
    env: 'GATEBOOK_SEQUENCER_MILLISECONDS',
    kind: 'integer',
    default: 800,
    unit: 'milliseconds',
    range: [20, 5000],
    scope: 'library',
    about: 'How often what was committed is signed, and before that moved into the log on PostgreSQL and MySQL.',
  },
  anchors: {
    env: 'GATEBOOK_ANCHORS',
    kind: 'list',
    default: [],
    separator: ANCHOR_SEPARATOR,
    scope: 'library',
    secret: true,
    about:
      'Where checkpoints of the log are kept outside the database, one a line: `file:PATH`, `command:/PROGRAM ARGUMENT…`, `https://HOST/PATH/{size}` or `witness:URL KEY`; see [anchors](anchors.md).',
  },

  networkDays: retention(
    'GATEBOOK_NETWORK_DAYS',
    180,
    'How long address, user agent and device of an event are kept, and sessions that have ended. 0, here and below: for ever. See [retention](retention.md).',
  ),
  adminNetworkDays: retention(
    'GATEBOOK_ADMIN_NETWORK_DAYS',
    730,
    'The same for what admins, operators and the system do; never shorter than `networkDays`.',
  ),
  highVolumeDays: retention(
    'GATEBOOK_HIGH_VOLUME_DAYS',
    365,
    'How long events of high volume are kept at all: log-ins, refreshes, ends of sessions. Not shorter than a session lives.',
  ),
  mediumVolumeDays: retention(
    'GATEBOOK_MEDIUM_VOLUME_DAYS',
    730,
    "The same for events of medium volume, the application's own (`app.*`) among them.",
  ),
  lowVolumeDays: retention(
    'GATEBOOK_LOW_VOLUME_DAYS',
    1095,
    'The same for events of low volume. Those about users, passwords, roles, keys and clients never expire.',
  ),
  adminEventDays: retention(
    'GATEBOOK_ADMIN_EVENT_DAYS',
    1095,
    'How long at least every event is kept that admins, operators and the system have caused; a year or more.',
    365,
  ),
}

function retention(env: string, days: number, about: string, least = 1): OptionRow {
  return { env, kind: 'integer', default: days, unit: 'days', range: [0, 36_500], least, scope: 'library', about }
}

export type OptionName =
  | 'database'
  | 'host'
  | 'port'
  | 'drainSeconds'
  | 'diagnosticsLevel'
  | 'mailer'
  | 'smtpUrl'
  | 'mailFrom'
  | 'mailLanguage'
  | 'applicationName'
  | 'pages'
  | 'brandColor'
  | 'brandLogo'
  | 'resetUrl'
  | 'confirmationUrl'
  | 'invitationUrl'
  | 'issuer'
  | 'audience'
  | 'clientId'
  | 'authorizationUrl'
  | 'secret'
  | 'secretFile'
  | 'registration'
  | 'resetSeconds'
  | 'confirmationSeconds'
  | 'invitationSeconds'
  | 'mailsPerHour'
  | 'autoMigrate'
  | 'signingAlgorithm'
  | 'hs256Secret'
  | 'accessTokenSeconds'
  | 'accessTokenJitterPercent'
  | 'accessTokenMaxBytes'
  | 'keyRotationSeconds'
  | 'verifiedTokens'
  | 'refreshIdleSeconds'
  | 'refreshAbsoluteSeconds'
  | 'refreshGraceSeconds'
  | 'sessionsPerUser'
  | 'revocationPollMilliseconds'
  | 'revocationMaxStaleSeconds'
  | 'revocationFailMode'
  | 'passwordMinLength'
  | 'passwordMaxLength'
  | 'argon2MemoryKib'
  | 'argon2Iterations'
  | 'argon2Parallelism'
  | 'hashConcurrency'
  | 'hashQueueLimit'
  | 'throttlePairFree'
  | 'throttlePairMaxWaitSeconds'
  | 'throttleAddressFailures'
  | 'throttleAddressWindowSeconds'
  | 'throttleAccountFailures'
  | 'throttleAccountWindowSeconds'
  | 'trustedProxies'
  | 'corsOrigins'
  | 'cookies'
  | 'bodyLimitBytes'
  | 'adminPath'
  | 'dashboard'
  | 'oauthPath'
  | 'operationsPath'
  | 'logPath'
  | 'logPublic'
  | 'userLogsView'
  | 'userLogEventsView'
  | 'userLogsUserId'
  | 'logKey'
  | 'logKeyFile'
  | 'logGuard'
  | 'logSigning'
  | 'checkpointSeconds'
  | 'sequencerMilliseconds'
  | 'anchors'
  | RetentionOption

export type RetentionOption =
  | 'networkDays'
  | 'adminNetworkDays'
  | 'highVolumeDays'
  | 'mediumVolumeDays'
  | 'lowVolumeDays'
  | 'adminEventDays'

/** Structured lines about the process itself; pino fits. Never the event log. */
export interface Diagnostics {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Whom a mail goes to. */
export interface MailRecipient {
  /** Null for somebody who is not a user yet. */
  readonly userId: string | null
  /** As it was typed by whoever registered with it, never as it was typed by who asks for a reset. */
  readonly identifier: string
  /** `Accept-Language` of the request, or what the context said; null when nothing did. */
  readonly language: string | null
  /** Epoch milliseconds: when the token expires. */
  readonly expiresAt: number
}

/** Options of `createGatebook`. The table `OPTIONS` has default, unit and range of each. */
export interface GatebookOptions {
  readonly issuer: string
  /** `sqlite(…)`, `postgres(…)` or `mysql(…)`. */
  readonly database: Dialect
  readonly audience?: string
  readonly clientId?: string
  readonly authorizationUrl?: string
  readonly secret?: string
  readonly secretFile?: string
  readonly registration?: 'open' | 'confirm' | 'invite' | 'closed'
  readonly resetSeconds?: number
  readonly confirmationSeconds?: number
  readonly invitationSeconds?: number
  readonly mailsPerHour?: number
  readonly autoMigrate?: boolean
  readonly signingAlgorithm?: 'ES256' | 'EdDSA' | 'RS256' | 'HS256'
  readonly hs256Secret?: string
  readonly accessTokenSeconds?: number
  readonly accessTokenJitterPercent?: number
  readonly accessTokenMaxBytes?: number
  readonly keyRotationSeconds?: number
  readonly verifiedTokens?: number
  readonly refreshIdleSeconds?: number
  readonly refreshAbsoluteSeconds?: number
  readonly refreshGraceSeconds?: number
  readonly sessionsPerUser?: number
  readonly revocationPollMilliseconds?: number
  readonly revocationMaxStaleSeconds?: number
  readonly revocationFailMode?: 'closed' | 'open'
  readonly passwordMinLength?: number
  readonly passwordMaxLength?: number
  readonly argon2MemoryKib?: number
  readonly argon2Iterations?: number
  readonly argon2Parallelism?: number
  readonly hashConcurrency?: number
  readonly hashQueueLimit?: number
  readonly throttlePairFree?: number
  readonly throttlePairMaxWaitSeconds?: number
  readonly throttleAddressFailures?: number
  readonly throttleAddressWindowSeconds?: number
  readonly throttleAccountFailures?: number
  readonly throttleAccountWindowSeconds?: number
  readonly trustedProxies?: readonly string[] | number
  readonly corsOrigins?: readonly string[]
  readonly cookies?: 'off' | 'lax' | 'strict'
  readonly bodyLimitBytes?: number
  readonly adminPath?: string
  readonly dashboard?: boolean
  readonly oauthPath?: string
  readonly operationsPath?: string
  readonly logPath?: string
  readonly logPublic?: boolean
  readonly userLogsView?: string
  readonly userLogEventsView?: string
  readonly userLogsUserId?: 'text' | 'integer'
  readonly logKey?: string
  readonly logKeyFile?: string
  readonly logGuard?: string
  readonly logSigning?: 'on' | 'off'
  readonly checkpointSeconds?: number
  readonly sequencerMilliseconds?: number
  readonly networkDays?: number
  readonly adminNetworkDays?: number
  readonly highVolumeDays?: number
  readonly mediumVolumeDays?: number
  readonly lowVolumeDays?: number
  readonly adminEventDays?: number
  readonly anchors?: readonly (string | Anchor)[]
  /** Adds the application's own claims to each access token, at log-in and at refresh. Must not throw for a live user. */
  readonly claims?: (subject: {
    readonly userId: string
    readonly roles: readonly string[]
  }) => Record<string, unknown> | Promise<Record<string, unknown>>
  /**
   * Sends a user the token for a new password. Called after the request has been answered, and up to three times while it
   * rejects. Without it nobody can ask for a reset; `passwordResets.issue` works nevertheless.
   */
  readonly sendReset?: (user: MailRecipient, token: string) => void | Promise<void>
  /** Sends what confirms a registration; with null, tells the user of this address that they have an account already. */
  readonly sendConfirmation?: (recipient: MailRecipient, token: string | null) => void | Promise<void>
  /** Sends an invitation, where `invitations.create` is asked to. */
  readonly sendInvitation?: (recipient: MailRecipient, token: string) => void | Promise<void>
  readonly diagnostics?: Diagnostics
  /**
   * For programs beside a running installation, such as the CLI: makes no signing keys and no views, and repeats nothing
   * but what this program's own events need. Default false.
   */
  readonly attach?: boolean
  /**
   * For programs that read their settings from somewhere: what they have read, and where, for `gate.configuration`. Default: what
   * is given here is an option.
   */
  readonly settingSources?: Readonly<
    Partial<Record<OptionName, { readonly value: unknown; readonly source: SettingSource }>>
  >
  /** For tests. */
  readonly clock?: Clock
}

/** All options, validated and frozen: what the parts are made with. */
export type Settings = Readonly<
  Required<
    Omit<
      GatebookOptions,
      | 'secret'
      | 'logKey'
      | 'hs256Secret'
      | 'adminPath'
      | 'operationsPath'
      | 'oauthPath'
      | 'logPath'
      | 'authorizationUrl'
      | 'claims'
      | 'database'
      | 'settingSources'
      | 'trustedProxies'
      | 'anchors'
      | Sender
    >
  >
> & {
  readonly trustedProxies: readonly string[]
  readonly anchors: readonly (AnchorSpec | Anchor)[]
  readonly secret: string | null
  readonly logKey: string | null
  readonly hs256Secret: string | null
  readonly adminPath: string | null
  readonly oauthPath: string | null
  readonly operationsPath: string | null
  readonly logPath: string | null
  readonly authorizationUrl: string | null
  readonly claims: NonNullable<GatebookOptions['claims']> | null
} & { readonly [Name in Sender]: NonNullable<GatebookOptions[Name]> | null }

const SENDERS = ['sendReset', 'sendConfirmation', 'sendInvitation'] as const
type Sender = (typeof SENDERS)[number]

const UNLISTED = new Set<string>(['database', 'claims', 'diagnostics', 'attach', 'settingSources', 'clock', ...SENDERS])

const silent: Diagnostics = { debug() {}, info() {}, warn() {}, error() {} }

/**
 * Checks every option against its row, fills in the defaults and freezes the result.
 * Throws ERR_OPTION_UNKNOWN or ERR_OPTION_INVALID, whose `detail` names the option.
 */
export function resolveOptions(options: GatebookOptions, clock: Clock, hashConcurrency: number): Settings {
  const given = options as unknown as Record<string, unknown>
  const resolved: Record<string, unknown> = {}
  for (const name of Object.keys(given)) {
    if (UNLISTED.has(name)) continue
    const row: OptionRow | undefined = Object.hasOwn(OPTIONS, name) ? OPTIONS[name as OptionName] : undefined
    if (row === undefined || row.scope === 'server') {
      throw new GatebookError('ERR_OPTION_UNKNOWN', { detail: `There is no option ${name}.` })
    }
  }
  for (const [name, row] of Object.entries(OPTIONS) as [string, OptionRow][]) {
    if (row.scope === 'server') continue
    if (name === 'anchors') {
      resolved[name] = Object.freeze(parseAnchors(given[name] ?? row.default))
      continue
    }
    const value = name === 'trustedProxies' && typeof given[name] === 'number' ? [String(given[name])] : given[name]
    resolved[name] = value === undefined ? row.default : checkOption(name, row, value)
  }
  if (resolved.issuer === null) throw invalid('issuer', 'it is required')
  resolved.audience ??= resolved.issuer
  resolved.hashConcurrency ??= hashConcurrency
  for (const path of ['adminPath', 'operationsPath', 'oauthPath', 'logPath']) {
    const value = resolved[path]
    if (typeof value === 'string' && !/^(\/[A-Za-z0-9_-]+)*$/.test(value)) {
      throw invalid(path, 'it must be a path such as /admin, without a slash at the end')
    }
  }
  for (const view of ['userLogsView', 'userLogEventsView']) {
    if (!/^([A-Za-z_][A-Za-z0-9_]{0,62})?$/.test(resolved[view] as string)) {
      throw invalid(view, 'it must be a plain SQL name of at most 63 characters')
    }
  }
  if (resolved.userLogsView !== '' && resolved.userLogsView === resolved.userLogEventsView) {
    throw invalid('userLogEventsView', 'it must differ from userLogsView')
  }
  if ((resolved.refreshIdleSeconds as number) > (resolved.refreshAbsoluteSeconds as number)) {
    throw invalid('refreshIdleSeconds', 'it must not be longer than refreshAbsoluteSeconds')
  }
  if ((resolved.throttlePairMaxWaitSeconds as number) > (resolved.throttleAccountWindowSeconds as number)) {
    throw invalid('throttlePairMaxWaitSeconds', 'it must not be longer than throttleAccountWindowSeconds')
  }
  checkRetention(resolved as unknown as Settings)
  if (resolved.signingAlgorithm === 'HS256') {
    if (Buffer.byteLength((resolved.hs256Secret as string | null) ?? '') < 32) {
      throw invalid('hs256Secret', 'HS256 needs at least 32 bytes')
    }
  }
  for (const name of SENDERS) {
    if (given[name] !== undefined && typeof given[name] !== 'function') throw invalid(name, 'it must be a function')
  }
  // A program beside the server makes no registrations, and has no mailer of its own.
  if (resolved.registration === 'confirm' && options.sendConfirmation === undefined && options.attach !== true) {
    throw invalid(
      'registration',
      'confirm needs a way to send mail (sendConfirmation in the library, GATEBOOK_SMTP_URL for the server)',
    )
  }
  return Object.freeze({
    ...resolved,
    claims: options.claims ?? null,
    sendReset: options.sendReset ?? null,
    sendConfirmation: options.sendConfirmation ?? null,
    sendInvitation: options.sendInvitation ?? null,
    attach: options.attach ?? false,
    diagnostics: options.diagnostics ?? silent,
    clock: options.clock ?? clock,
  }) as unknown as Settings
}

/** Periods that would make promises of other settings untrue. 0 is for ever. */
function checkRetention(settings: Settings): void {
  const shorter = (days: number, than: number): boolean => days !== 0 && (than === 0 || days < than)
  if (shorter(settings.adminNetworkDays, settings.networkDays)) {
    throw invalid('adminNetworkDays', 'it must not be shorter than networkDays')
  }
  if (shorter(settings.highVolumeDays, Math.ceil(settings.refreshAbsoluteSeconds / DAY))) {
    throw invalid('highVolumeDays', 'it must not be shorter than refreshAbsoluteSeconds')
  }
}

/** The value when the row allows it. Also used by the server for values out of the environment. */
export function checkOption(
  name: string,
  row: OptionRow,
  value: unknown,
): string | number | boolean | readonly string[] {
  switch (row.kind) {
    case 'integer': {
      const [low, high] = row.range ?? [0, Number.MAX_SAFE_INTEGER]
      if (row.least !== undefined && typeof value === 'number' && value > 0 && value < row.least) {
        throw invalid(name, `it must be 0 or at least ${row.least} ${row.unit}`)
      }
      if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < low || value > high) {
        throw invalid(
          name,
          `it must be a whole number from ${low} to ${high}${row.unit === undefined ? '' : ` ${row.unit}`}`,
        )
      }
      return value
    }
    case 'boolean':
      if (typeof value !== 'boolean') throw invalid(name, 'it must be true or false')
      return value
    case 'enum':
      if (typeof value !== 'string' || !row.values!.includes(value)) {
        throw invalid(name, `it must be one of ${row.values!.join(', ')}`)
      }
      return value
    case 'list':
      if (!Array.isArray(value) || !value.every((item) => typeof item === 'string' && item !== '')) {
        throw invalid(name, 'it must be a list of strings')
      }
      return Object.freeze([...value]) as readonly string[]
    case 'url': {
      const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : null
      if (
        url === null ||
        !/^https?:$/.test(url.protocol) ||
        url.search !== '' ||
        url.hash !== '' ||
        (value as string).endsWith('/')
      ) {
        throw invalid(name, 'it must be an http or https URL without query, fragment and slash at the end')
      }
      return value as string
    }
    default:
      if (typeof value !== 'string') throw invalid(name, 'it must be a string')
      return value
  }
}

function invalid(name: string, problem: string): GatebookError {
  return new GatebookError('ERR_OPTION_INVALID', { detail: `${name}: ${problem}.` })
}
