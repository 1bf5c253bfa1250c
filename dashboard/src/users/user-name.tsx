import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { Api } from '../api/api.ts'
import type { UserItem } from '../api/wire.ts'
import { useDesk } from '../context.tsx'
import { Foreign } from '../parts/foreign.tsx'
import { Link } from '../router/link.tsx'

/** What was asked once, for as long as the page is open; null for users without an identifier, and for those who are gone. */
const known = new Map<string, Promise<string | null>>()
const AT_ONCE = 4
let asking = 0
const waiting: (() => void)[] = []

function findName(api: Api, id: string): Promise<string | null> {
  const name = known.get(id) ?? askName(api, id)
  known.set(id, name)
  return name
}

async function askName(api: Api, id: string): Promise<string | null> {
  if (asking >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve))
  asking += 1
  try {
    return (await api.get<UserItem>(`/users/${encodeURIComponent(id)}`)).identifier
  } catch {
    return null
  } finally {
    asking -= 1
    waiting.shift()?.()
  }
}

/** A link to a user, by the identifier as soon as it is known. */
export function UserName({ id }: { readonly id: string }): JSX.Element {
  const { api } = useDesk()
  const [name, setName] = useState<string | null>(null)
  useEffect(() => {
    let stale = false
    setName(null)
    void findName(api, id).then((found) => !stale && setName(found))
    return () => {
      stale = true
    }
  }, [id, api])
  return (
    <Link parts={['users', id]} title={name === null ? undefined : id}>
      <Foreign text={name ?? id} most={80} mono={name === null} />
    </Link>
  )
}
