import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { UserItem } from '../api/wire.ts'
import { useDesk } from '../context.tsx'
import { useLanguage } from '../i18n/language.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { EraseUser } from './erase-user.tsx'

type Asking = 'disable' | 'enable' | 'end' | 'roles' | 'erase'

interface UserActionsProps {
  readonly user: UserItem
  /** With what is to be said about it. */
  readonly onChanged: (message: string) => void
}

export function UserActions({ user, onChanged }: UserActionsProps): JSX.Element {
  const { text, format } = useLanguage()
  const { api } = useDesk()
  const [asking, setAsking] = useState<Asking | null>(null)
  const [roles, setRoles] = useState('')
  const path = `/users/${encodeURIComponent(user.id)}`
  const close = (): void => setAsking(null)
  const done = (message = ''): void => {
    close()
    onChanged(message)
  }
  const change = (body: object) => async (): Promise<void> => api.send('PATCH', path, body)
  const ask = (what: Asking) => () => {
    setRoles(user.roles.join(' '))
    setAsking(what)
  }
  let ended = 0
  const isOff = user.disabled_at !== null
  return (
    <div class="row">
      <button type="button" class="button" onClick={ask('roles')}>
        {text.user.editRoles}
      </button>
      <button type="button" class="button" onClick={ask('end')}>
        {text.user.endSessions}
      </button>
      <button type="button" class="button" onClick={ask(isOff ? 'enable' : 'disable')}>
        {isOff ? text.user.enable : text.user.disable}
      </button>
      <button type="button" class="button danger-quiet" onClick={ask('erase')}>
        {text.user.erase}
      </button>
      {asking === 'disable' && (
        <Confirm
          title={text.user.disableAsk}
          about={text.user.disableAbout}
          action={text.user.disable}
          danger
          work={change({ disabled: true })}
          onDone={() => done()}
          onClose={close}
        />
      )}
      {asking === 'enable' && (
        <Confirm
          title={text.user.enableAsk}
          about={text.user.enableAbout}
          action={text.user.enable}
          work={change({ disabled: false })}
          onDone={() => done()}
          onClose={close}
        />
      )}
      {asking === 'end' && (
        <Confirm
          title={text.user.endSessionsAsk}
          about={text.user.endSessionsAbout}
          action={text.user.endSessions}
          danger
          work={async () => {
            ended = (await api.send<{ ended: number }>('POST', `${path}/sessions/end`)).ended
          }}
          onDone={() => done(text.user.sessionsEnded(ended, format.number(ended)))}
          onClose={close}
        />
      )}
      {asking === 'roles' && (
        <Confirm
          title={text.user.editRoles}
          about={text.user.rolesAbout}
          action={text.actions.save}
          work={change({ roles: roles.split(/[\s,]+/).filter((role) => role !== '') })}
          onDone={() => done()}
          onClose={close}
        >
          <label class="field">
            <span>{text.user.rolesLabel}</span>
            <input
              class="mono"
              value={roles}
              autocapitalize="none"
              spellcheck={false}
              onInput={(event) => setRoles(event.currentTarget.value)}
            />
          </label>
        </Confirm>
      )}
      {asking === 'erase' && <EraseUser user={user} onDone={() => done(text.user.erased)} onClose={close} />}
    </div>
  )
}
