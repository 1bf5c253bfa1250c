import { gate, setClock } from '../../gate'

interface Order {
  readonly now?: number
  readonly flush?: true
  readonly grant?: { readonly userId: string; readonly role: string }
}

/** What the tests do to the gate of this process. */
export async function POST(request: Request): Promise<Response> {
  const { now, flush, grant } = (await request.json()) as Order
  const { log, users } = await gate()
  if (now !== undefined) setClock(now)
  if (flush === true) await log.flush()
  if (grant !== undefined) await users.grantRole(grant.userId, grant.role, { actor: { kind: 'system', id: 'test' } })
  return new Response(null, { status: 204 })
}
