import { sql } from 'kysely'
import { parseCidrRange } from '../../util/address.ts'
import type { Check, CheckContext } from '../check.ts'
import type { Finding } from '../findings.ts'
import { hasTables } from './tables.ts'

/** So many of the last log-ins and refused ones are looked at. */
const LOOKED_AT = 200
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
    const recent = await countSources(context)
    const ignored = recent.get('header-ignored') ?? 0
    const all = [...recent.values()].reduce((sum, count) => sum + count, 0)
    // A client can send such a header for fun; when most have one, it is a proxy that writes it.
    if (ignored * 2 > all) findings.push({ code: 'proxies-ignored', figures: { ignored, of: all } })
    return findings.length > 0 ? findings : [{ code: 'proxies-ok', figures: { log_ins: all } }]
  },
}

async function countSources({ database }: CheckContext): Promise<Map<string, number>> {
  const sources = new Map<string, number>()
  if (database === null || !(await hasTables(database))) return sources
  for (const type of ['login.succeeded', 'login.failed']) {
    const rows = await database.kysely
      .selectFrom('gatebook_event')
      .select('ip_source')
      .where('type', '=', type)
      .orderBy('number', 'desc')
      .limit(sql.lit(LOOKED_AT))
      .execute()
    for (const { ip_source: source } of rows)
      sources.set(source ?? 'unknown', (sources.get(source ?? 'unknown') ?? 0) + 1)
  }
  return sources
}
