import type { ComponentChildren, JSX } from 'preact'
import { useId } from 'preact/hooks'
import { useLanguage } from '../i18n/language.tsx'
import { Problem } from './problem.tsx'
import type { Loaded } from './use-load.ts'

interface PanelProps {
  readonly title: string
  readonly about?: string
  readonly actions?: ComponentChildren
  readonly children: ComponentChildren
  readonly class?: string
}

/** One part of a page, with its heading. */
export function Panel({ title, about, actions, children, class: name = '' }: PanelProps): JSX.Element {
  const id = useId()
  return (
    <section class={`panel ${name}`} aria-labelledby={id}>
      <header class="panel-head">
        <div>
          <h2 id={id}>{title}</h2>
          {about !== undefined && <p class="quiet">{about}</p>}
        </div>
        {actions !== undefined && <div class="row">{actions}</div>}
      </header>
      {children}
    </section>
  )
}

/** What was read, or that it is being read, or why it could not be. */
export function Showing<T>({
  loaded,
  children,
}: {
  readonly loaded: Loaded<T>
  readonly children: (data: T) => ComponentChildren
}): JSX.Element {
  const { text } = useLanguage()
  const { data, error, reload } = loaded
  if (error !== null) return <Problem error={error} onRetry={reload} />
  if (data === null) {
    return (
      <p class="quiet loading" role="status">
        {text.states.loading}
      </p>
    )
  }
  return <>{children(data)}</>
}
