import { z } from 'zod'
import type { AddressReport, LogOverview } from '../api.ts'
import { described, named } from './schema.ts'

/** What the routes of figures answer: the schema of each, and the mapping to it. */

const instant = described(z.int(), { description: 'Epoch milliseconds.' })
const count = z.int()

export interface WireOverview {
  from: number
  to: number
  bucket_milliseconds: number
  as_of: number
  complete: boolean
  series: { at: number; logins: number; failures: number; refreshes: number; ended: number }[]
  refusals: { reason: string; count: number }[]
  addresses: {
    busiest: { ip_prefix: string; count: number; failures: number }[]
    newest: { ip_prefix: string; first_seen: number }[]
  }
  active_sessions: number
}

export const overviewSchema: z.ZodType<WireOverview> = named(
  'Overview',
  z.object({
    from: described(z.int(), { description: 'Later than asked for where `complete` is false.' }),
    to: instant,
    bucket_milliseconds: z.int(),
    as_of: instant,
    complete: described(z.boolean(), { description: 'Whether the whole window was counted.' }),
    series: z.array(z.object({ at: instant, logins: count, failures: count, refreshes: count, ended: count })),
    refusals: z.array(z.object({ reason: z.string(), count })),
    addresses: z.object({
      busiest: z.array(z.object({ ip_prefix: z.string(), count, failures: count })),
      newest: z.array(z.object({ ip_prefix: z.string(), first_seen: instant })),
    }),
    active_sessions: count,
  }),
  'What happened in a window, in numbers.',
)

export function toWireOverview(overview: LogOverview): WireOverview {
  const { addresses } = overview
  return {
    from: overview.from,
    to: overview.to,
    bucket_milliseconds: overview.bucketMilliseconds,
    as_of: overview.asOf,
    complete: overview.complete,
    series: overview.series.map((bucket) => ({ ...bucket })),
    refusals: overview.refusals.map((refusal) => ({ ...refusal })),
    addresses: {
      busiest: addresses.busiest.map(({ prefix, count, failures }) => ({ ip_prefix: prefix, count, failures })),
      newest: addresses.newest.map(({ prefix, firstSeen }) => ({ ip_prefix: prefix, first_seen: firstSeen })),
    },
    active_sessions: overview.activeSessions,
  }
}

export interface WireAddressReport {
  ip: string
  first_seen: number | null
  last_seen: number | null
  counts: { succeeded: number; failed: number; denied: number; refreshed: number }
  users: {
    user_id: string | null
    identifier_mask: string | null
    succeeded: number
    failed: number
    last_seen: number
  }[]
  complete: boolean
}

export const addressReportSchema: z.ZodType<WireAddressReport> = named(
  'AddressReport',
  z.object({
    ip: z.string(),
    first_seen: z.int().nullable(),
    last_seen: z.int().nullable(),
    counts: z.object({ succeeded: count, failed: count, denied: count, refreshed: count }),
    users: z.array(
      z.object({
        user_id: described(z.string().nullable(), { description: 'Null for a name that is nobody’s.' }),
        identifier_mask: z.string().nullable(),
        succeeded: count,
        failed: count,
        last_seen: instant,
      }),
    ),
    complete: described(z.boolean(), { description: 'Whether the whole window was looked at.' }),
  }),
  'Who came from an address, and what came of it.',
)

export function toWireAddressReport(report: AddressReport): WireAddressReport {
  return {
    ip: report.ip,
    first_seen: report.firstSeen,
    last_seen: report.lastSeen,
    counts: { ...report.counts },
    users: report.users.map((user) => ({
      user_id: user.userId,
      identifier_mask: user.identifierMask,
      succeeded: user.succeeded,
      failed: user.failed,
      last_seen: user.lastSeen,
    })),
    complete: report.complete,
  }
}
