import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { Api } from './api/api.ts'
import type { Admin, DashboardSession } from './session/session.ts'
import type { Surroundings } from './surroundings.ts'

/** What every page may need. */
export interface Desk {
  readonly api: Api
  readonly session: DashboardSession
  readonly surroundings: Surroundings
  readonly admin: Admin
}

export const DeskContext = createContext<Desk | null>(null)

export function useDesk(): Desk {
  const desk = useContext(DeskContext)
  if (desk === null) throw new Error('nobody is signed in')
  return desk
}
