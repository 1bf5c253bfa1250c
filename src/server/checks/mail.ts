import type { Check } from '../check.ts'
import { mailerKind } from '../mailer.ts'
import { createSmtpMailer } from '../mailers/smtp.ts'

/** Whether the mail server answers and takes the account. Sends nothing. */
export const mail: Check = {
  name: 'mail',
  async run({ config, environment }) {
    const kind = mailerKind(config, environment)
    if (kind !== 'smtp') return [{ code: kind === 'off' ? 'mail-off' : 'mail-printed' }]
    const mailer = await createSmtpMailer(config)
    try {
      await mailer.verify()
      return [{ code: 'mail-ok' }]
    } catch (error) {
      const { code } = error as { code?: unknown }
      return [{ code: 'mail-unreachable', figures: typeof code === 'string' ? { error: code } : {} }]
    } finally {
      mailer.close()
    }
  },
}
