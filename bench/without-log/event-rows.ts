import type { NewEvent } from '../../src/event/event.ts'
import { CAPS, cleanText } from '../../src/event/redact.ts'
import { type EventLogOptions, insertEvents, parseSubjectNumber } from '../../src/log/append.ts'
import type { EventLog } from '../../src/log/log.ts'
import { chunks } from '../../src/store/chunks.ts'
import { addressKey } from '../../src/util/address.ts'
import { generateId } from '../../src/util/id.ts'

/**
 * What the log is compared with: the row of `gatebook_event` with every column that is searched, cleaned as ever, and nothing
 * that makes it evidence: no look at the catalogue, no salts, no commitments, no leaf, no MAC, no queue, no entry. Nothing of this
 * can be switched on in the product.
 */
export function createEventLog({ clock }: Pick<EventLogOptions, 'clock'>): EventLog {
  return {
    async append(tx, events) {
      const at = clock.now()
      const rows = events.map((event) => eventRow(event, generateId('event', at), at))
      for (const chunk of chunks(rows)) await insertEvents(tx, chunk)
      return rows.map(({ id }) => id)
    },
  }
}

function eventRow(event: NewEvent, id: string, at: number) {
  const { network, identifier } = event
  const ip = clean(network?.ip, 45)
  const subject = clean(event.subject, CAPS.subject)
  return {
    id,
    type: event.type,
    outcome: event.outcome,
    reason: event.reason ?? null,
    at,
    actor_kind: event.actor.kind,
    actor_id: clean(event.actor.id, CAPS.actor),
    subject_id: subject,
    subject_number: subject === null ? null : parseSubjectNumber(subject),
    identifier: clean(identifier?.clear, CAPS.identifier),
    identifier_mask: clean(identifier?.mask, CAPS.identifier),
    identifier_hmac: identifier?.hmac ?? null,
    identifier_key: identifier?.keyVersion ?? null,
    session_id: event.sessionId ?? null,
    token_id: event.tokenId ?? null,
    method: clean(event.method, CAPS.method),
    ip,
    ip_key: ip === null ? null : addressKey(ip),
    ip_source: network === undefined || network.ipSource === 'unknown' ? null : network.ipSource,
    user_agent: clean(network?.userAgent, CAPS.userAgent),
    device_id: network?.deviceId ?? null,
    request_id: clean(event.requestId, CAPS.requestId),
    trace_id: clean(event.traceId, CAPS.traceId),
    data: event.data === undefined ? null : JSON.stringify(event.data),
    salt_id: null,
    salt_net: null,
  }
}

function clean(text: string | undefined, cap: number): string | null {
  return text === undefined ? null : cleanText(text, cap)
}
