import type { ComponentChildren, JSX } from 'preact'
import { go, hrefOf, type Target } from './location.ts'

type LinkProps = Target & {
  readonly children: ComponentChildren
  readonly class?: string
  readonly current?: boolean
  readonly title?: string | undefined
  readonly label?: string | undefined
}

/** Opens within the page; with a modifier or another button as the browser does it. */
export function Link({ parts, search, children, current = false, title, label, class: name }: LinkProps): JSX.Element {
  const href = hrefOf({ parts, ...(search !== undefined && { search }) })
  return (
    <a
      href={href}
      class={name}
      title={title}
      aria-label={label}
      aria-current={current ? 'page' : undefined}
      onClick={(event) => {
        if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
        event.preventDefault()
        go(href)
      }}
    >
      {children}
    </a>
  )
}
