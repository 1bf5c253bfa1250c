import type { Passwords } from '../credential/passwords.ts'
import type { MacCheck } from '../log/entry-walk.ts'
import type { HoldReader } from '../log/hold-reader.ts'
import type { EventLog } from '../log/log.ts'
import type { RefusalLog } from '../log/refusal-log.ts'
import type { MailLine } from '../mail/mail-line.ts'
import type { Settings } from '../options.ts'
import type { RowSeal } from '../secret/row-seal.ts'
import type { SessionEnder } from '../session/end-sessions.ts'
import type { Store } from '../store/store.ts'
import type { Throttle } from '../throttle/throttle.ts'
import type { AccessTokens } from '../token/access.ts'
import type { DeviceTokens } from '../token/device.ts'
import type { RefreshTokens } from '../token/refresh.ts'
import type { IdentifierKeys } from '../user/identifier.ts'

/** What the flows are made of. `gatebook.ts` puts it together. */
export interface FlowParts {
  readonly settings: Settings
  readonly store: Store
  readonly log: EventLog
  readonly refusals: RefusalLog
  readonly throttle: Throttle
  readonly passwords: Passwords
  readonly accessTokens: AccessTokens
  readonly refreshTokens: RefreshTokens
  readonly deviceTokens: DeviceTokens
  readonly sessionEnder: SessionEnder
  readonly identifiers: IdentifierKeys
  readonly mails: MailLine
  readonly seal: RowSeal
  readonly holds: HoldReader
  /** Whether an entry carries the MAC of a writer. */
  readonly isGenuine: MacCheck
}
