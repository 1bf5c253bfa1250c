import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { useLanguage } from '../i18n/language.tsx'
import { Icon } from './icon.tsx'

interface DialogProps {
  readonly title: ComponentChildren
  /** A drawer stands at the side and leaves the page usable; a box asks something and has to be answered. */
  readonly kind: 'drawer' | 'box'
  readonly onClose: () => void
  readonly children: ComponentChildren
  readonly actions?: ComponentChildren
}

/** The browser's own dialog: it keeps the focus, gives it back, and goes with Escape. */
export function Dialog({ title, kind, onClose, children, actions }: DialogProps): JSX.Element {
  const { text } = useLanguage()
  const dialog = useRef<HTMLDialogElement>(null)
  const heading = useId()
  useEffect(() => {
    const opened = dialog.current!
    const before = document.activeElement
    opened.showModal()
    return () => {
      opened.close()
      if (before instanceof HTMLElement && before.isConnected) before.focus()
    }
  }, [])
  return (
    <dialog
      ref={dialog}
      class={`dialog dialog-${kind}`}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
      onClick={(event) => {
        if (event.target === dialog.current) onClose()
      }}
    >
      <div class="dialog-inside">
        <header class="dialog-head">
          <h2 id={heading}>{title}</h2>
          <div class="dialog-actions">
            {actions}
            <button type="button" class="button icon-button" aria-label={text.actions.close} onClick={onClose}>
              <Icon name="close" />
            </button>
          </div>
        </header>
        <div class="dialog-body">{children}</div>
      </div>
    </dialog>
  )
}
