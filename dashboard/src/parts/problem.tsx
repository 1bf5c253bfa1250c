import type { JSX } from 'preact'
import { type ApiError, isAbsent } from '../api/api-error.ts'
import { useLanguage } from '../i18n/language.tsx'

/** A refusal, in the language of the page; with the id by which the server knows it. */
export function Problem({ error, onRetry }: { readonly error: ApiError; readonly onRetry?: () => void }): JSX.Element {
  const { text } = useLanguage()
  const sentence = useProblemText(error)
  if (isAbsent(error)) return <p class="quiet">{text.states.absent}</p>
  return (
    <div class="problem" role="alert">
      <p>{sentence}</p>
      {error.requestId !== null && <p class="quiet mono">{text.states.requestId(error.requestId)}</p>}
      {onRetry !== undefined && (
        <button type="button" class="button" onClick={onRetry}>
          {text.actions.retry}
        </button>
      )}
    </div>
  )
}

export function useProblemText(error: ApiError | null): string {
  const { text, format } = useLanguage()
  if (error === null) return ''
  const known = (text.errors as Readonly<Record<string, string>>)[error.code]
  const sentence = known ?? text.errorWithCode(error.code)
  const seconds = error.retryAfterSeconds
  return seconds === null ? sentence : `${sentence} ${text.retryIn(format.duration(seconds * 1000))}`
}
