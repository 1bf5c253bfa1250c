import type { ComponentChildren, JSX } from 'preact'
import { useLanguage } from '../i18n/language.tsx'
import { Dialog } from './dialog.tsx'
import { Problem } from './problem.tsx'
import { useAction } from './use-load.ts'

interface ConfirmProps {
  readonly title: string
  readonly about: string
  readonly action: string
  readonly danger?: boolean
  readonly disabled?: boolean
  readonly work: () => Promise<void>
  readonly onDone: () => void
  readonly onClose: () => void
  readonly children?: ComponentChildren
}

/** Asks before something is done, does it, and says why it could not be. */
export function Confirm(props: ConfirmProps): JSX.Element {
  const { title, about, action, danger = false, disabled = false, work, onDone, onClose, children } = props
  const { text } = useLanguage()
  const { busy, error, run } = useAction()
  return (
    <Dialog title={title} kind="box" onClose={onClose}>
      <form
        class="stack"
        onSubmit={async (event) => {
          event.preventDefault()
          if (await run(work)) onDone()
        }}
      >
        <p>{about}</p>
        {children}
        {error !== null && <Problem error={error} />}
        <div class="row row-end">
          <button type="button" class="button" onClick={onClose}>
            {text.actions.cancel}
          </button>
          <button type="submit" class={danger ? 'button danger' : 'button primary'} disabled={busy || disabled}>
            {action}
          </button>
        </div>
      </form>
    </Dialog>
  )
}
