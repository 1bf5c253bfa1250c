import type { JSX } from 'preact'
import { useLanguage } from '../i18n/language.tsx'
import { Foreign } from '../parts/foreign.tsx'
import { Time } from '../parts/time.tsx'
import type { IntegrityReport } from './wire.ts'

/** Why nothing is signed, or why the database is not believed; nothing while all is well. */
export function Stopped({ report }: { readonly report: IntegrityReport }): JSX.Element | null {
  const { text } = useLanguage()
  const { problem, status } = report
  const errors = text.errors as Readonly<Record<string, string>>
  const reasons = [
    problem === null ? null : { ...problem, title: text.integrity.notBelieved, since: null },
    status.stopped === null ? null : { ...status.stopped, title: text.integrity.stopped },
  ].filter((reason) => reason !== null)
  if (reasons.length === 0) return null
  return (
    <div class="problem" role="alert" data-stopped={reasons[0]!.code}>
      {reasons.map(({ title, code, detail, since }) => (
        <div key={title}>
          <p>
            <strong>{title}</strong> {errors[code] ?? <code>{code}</code>}
          </p>
          <p class="small">
            <Foreign text={detail} most={600} mono />
            {since !== null && (
              <>
                {' · '}
                <Time at={since} relative />
              </>
            )}
          </p>
        </div>
      ))}
    </div>
  )
}
