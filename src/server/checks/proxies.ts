import { sql } from 'kysely'
import { isPrivateAddress, parseCidrRange } from '../../util/address.ts'
import type { Check, CheckContext } from '../check.ts'
import type { Finding } from '../findings.ts'
import { hasTables } from './tables.ts'

/** So many of the last log-ins and refused ones are looked at. */
const LOOKED_AT = 200
/** Fewer say nothing. */
const MANY = 50
const EVERYBODY = new Set(['0.0.0.0/0', '::/0'].map((cidr) => JSON.stringify(parseCidrRange(cidr))))

/** Who is trusted, and where the addresses of the last log-ins were taken from. */
export const proxies: Check = {
  name: 'proxies',
  async run(context) {
    const trusted = context.config.trustedProxies.value as readonly string[]
    const findings: Finding[] = []
    if (trusted.some((proxy) => EVERYBODY.has(JSON.stringify(parseCidrRange(proxy))))) {
      findings.push({ code: 'proxies-everybody' })
    }
    if (/^[1-9]$/.test(trusted.join()))
      findings.push({ code: 'proxies-counted', figures: { proxies: Number(trusted[0]) } })
    const recent = await readRecent(context)
    const ignored = recent.filter(({ source }) => source === 'header-ignored').length
    // A client can send such a header for fun; when most have one, it is a proxy that writes it.
    if (ignored * 2 > recent.length) findings.push({ code: 'proxies-ignored', figures: { ignored, of: recent.length } })
    else if (comeFromOne(recent, context.environment.NODE_ENV === 'production'))
      findings.push({ code: 'proxies-one-address', figures: { log_ins: recent.length } })
    return findings.length > 0 ? findings : [{ code: 'proxies-ok', figures: { log_ins: recent.length } }]
  },
}

interface Recent {
  readonly ip: string | null
  readonly source: string | null
}

/** A developer's own machine calls itself all day; in production that is a proxy beside the process. */
function comeFromOne(recent: readonly Recent[], production: boolean): boolean {
  const [first] = recent
  if (first === undefined || recent.length < MANY || first.ip === null || !isPrivateAddress(first.ip)) return false
  if (!production && /^(?:127\.|::1$)/.test(first.ip)) return false
  return recent.every(({ ip, source }) => ip === first.ip && source === 'socket')
}

async function readRecent({ database }: CheckContext): Promise<readonly Recent[]> {
  if (database === null || !(await hasTables(database))) return []
  const recent: Recent[] = []
  for (const type of ['login.succeeded', 'login.failed']) {
    recent.push(
      ...(await database.kysely
        .selectFrom('gatebook_event')
        .select(['ip', 'ip_source as source'])
        .where('type', '=', type)
        .orderBy('number', 'desc')
        .limit(sql.lit(LOOKED_AT))
        .execute()),
    )
  }
  return recent
}
