import type { GatebookOptions, MailRecipient } from '../options.ts'
import { isEmailAddress } from '../user/email-address.ts'
import type { Config, Setting } from './config.ts'
import { chooseLanguage, formatLife, MAIL_TEXTS, type MailKind, type MailLanguage } from './mail-texts.ts'
import type { Mailer } from './mailer.ts'

export type Senders = Pick<GatebookOptions, 'sendReset' | 'sendConfirmation' | 'sendInvitation'>

/** The callbacks of the library, over a mailer. */
export function createSenders(config: Config, mailer: Mailer, issuer: string, now: () => number): Senders {
  const name = (config.applicationName.value as string | null) ?? new URL(issuer).host
  const fallback = config.mailLanguage.value as MailLanguage

  async function send(kind: MailKind, recipient: MailRecipient, token: string | null, page: Setting): Promise<void> {
    // Users may have names that are no addresses. Nobody is told, but nothing is sent either.
    if (!isEmailAddress(recipient.identifier)) return
    const language = chooseLanguage(recipient.language, fallback)
    const url = page.value as string | null
    const facts = {
      name,
      // Behind the hash it reaches no server, no log and no Referer on the way.
      key: token === null || url === null ? token : `${url}#token=${token}`,
      isLink: url !== null,
      life: formatLife(language, Math.round((recipient.expiresAt - now()) / 60_000) * 60),
    }
    const text = MAIL_TEXTS[language][kind]
    const body = `${text.lines(facts).join('\n')}\n`
    await mailer.send({ to: recipient.identifier, subject: text.subject(facts), text: body })
  }

  return {
    sendReset: (user, token) => send('reset', user, token, config.resetUrl),
    sendConfirmation: (recipient, token) =>
      send(token === null ? 'taken' : 'confirm', recipient, token, config.confirmationUrl),
    sendInvitation: (recipient, token) => send('invite', recipient, token, config.invitationUrl),
  }
}
