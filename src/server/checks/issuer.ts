import type { Check } from '../check.ts'
import type { Finding } from '../findings.ts'

const LOCAL = /^(localhost|.*\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

/** The issuer against the place where it runs, and against the origins that may call. */
export const issuer: Check = {
  name: 'issuer',
  async run({ config, environment }) {
    const value = config.issuer.value as string | null
    if (value === null) return [{ code: environment.NODE_ENV === 'production' ? 'settings-wrong' : 'issuer-unset' }]
    const { protocol, hostname } = new URL(value)
    const local = LOCAL.test(hostname)
    const findings: Finding[] = []
    if (protocol === 'http:' && !local) findings.push({ code: 'issuer-plain' })
    if (local && environment.NODE_ENV === 'production') findings.push({ code: 'issuer-local' })
    const origins = config.corsOrigins.value as readonly string[]
    const plain = origins.filter((origin) => origin.startsWith('http:') && !LOCAL.test(hostOf(origin)))
    if (protocol === 'https:' && plain.length > 0)
      findings.push({ code: 'cors-plain', figures: { origins: plain.length } })
    return findings.length > 0 ? findings : [{ code: 'issuer-ok', figures: { origins: origins.length } }]
  },
}

function hostOf(origin: string): string {
  return URL.canParse(origin) ? new URL(origin).hostname : ''
}
