import type { GatebookOptions, MailRecipient } from '../../src/options.ts'
import { until } from './gate.ts'

export interface DeliveredMail extends MailRecipient {
  readonly kind: 'reset' | 'confirm' | 'invite'
  readonly token: string | null
}

export interface Mailbox {
  /** For `openGate`: what would be sent arrives here. */
  readonly options: Pick<GatebookOptions, 'sendReset' | 'sendConfirmation' | 'sendInvitation'>
  readonly mails: readonly DeliveredMail[]
  /** The next one that nobody has taken yet. */
  next(): Promise<DeliveredMail>
}

export function createMailbox(): Mailbox {
  const mails: DeliveredMail[] = []
  let taken = 0
  const deliver =
    (kind: DeliveredMail['kind']) =>
    (recipient: MailRecipient, token: string | null): void => {
      mails.push({ ...recipient, kind, token })
    }
  return {
    options: {
      sendReset: deliver('reset'),
      sendConfirmation: deliver('confirm'),
      sendInvitation: deliver('invite'),
    },
    mails,
    async next() {
      const mail = await until('a mail', async () => mails[taken])
      taken += 1
      return mail
    },
  }
}
