import { escapeUnsafe } from '../escape-unsafe.ts'
import type { Mailer, MailerParts } from '../mailer.ts'

/** Prints mail in the place of sending it: for the first steps and for development. */
export function createConsoleMailer({ diagnostics, print }: Pick<MailerParts, 'diagnostics' | 'print'>): Mailer {
  return {
    async send({ to, subject, text }) {
      if (print === null) {
        diagnostics.info({ to, subject, text }, 'This mail would be sent if GATEBOOK_SMTP_URL were set.')
        return
      }
      const lines = [`To: ${to}`, `Subject: ${subject}`, '', ...text.trimEnd().split('\n')]
      const body = lines.map((line) => `  | ${escapeUnsafe(line)}\n`).join('')
      print(`\nMail that would be sent if GATEBOOK_SMTP_URL were set:\n${body}\n`)
    },
    close() {},
  }
}
