/** Answers of the admin API as `GET /openapi.json` describes them, as far as these pages read them. */
export interface Page<T> {
  readonly items: readonly T[]
  readonly next: string | null
}

export interface EventItem {
  readonly number: number
  readonly id: string
  readonly type: string
  readonly outcome: 'success' | 'failure' | 'denied'
  readonly reason: string | null
  readonly at: number
  readonly time: string
  readonly actor: { readonly kind: string; readonly id: string | null }
  readonly subject: string | null
  readonly identifier: string | null
  readonly identifier_mask: string | null
  readonly identifier_hmac: string | null
  readonly session_id: string | null
  readonly token_id: string | null
  readonly method: string | null
  readonly ip: string | null
  readonly ip_source: string | null
  readonly user_agent: string | null
  readonly device_id: string | null
  readonly request_id: string | null
  readonly trace_id: string | null
  readonly data: Readonly<Record<string, unknown>>
}

export interface Opening {
  /** 64 hexadecimal digits. */
  readonly salt: string
  readonly fields: Readonly<Record<string, unknown>>
}

export interface ReceiptAnswer {
  readonly format: string
  readonly event_id: string
  readonly index: number
  readonly size: number
  readonly leaf: string
  readonly leaf_hash: string
  readonly proof: string
  readonly opening: { readonly id: Opening | null; readonly net: Opening | null }
}

export interface UserItem {
  readonly id: string
  readonly identifier: string | null
  readonly created_at: number
  readonly confirmed_at: number | null
  readonly disabled_at: number | null
  readonly roles: readonly string[]
}

export interface SessionItem {
  readonly id: string
  readonly user_id: string
  readonly created_at: number
  readonly last_used_at: number
  readonly expires_at: number
  readonly ended_at: number | null
  readonly end_reason: string | null
  readonly ip: string | null
  readonly user_agent: string | null
  readonly device_id: string | null
  readonly method: string
  readonly client_id: string | null
  readonly parent_id: string | null
}

export interface SessionDetail extends SessionItem {
  readonly end_event: EventItem | null
}

export interface ErasurePreview {
  readonly user_id: string | null
  readonly events: number
  readonly networks: number
  readonly sessions: number
  readonly devices: number
  readonly tokens: number
  readonly counters: number
  readonly acts_on_others: number
  readonly holds: readonly string[]
}

export interface KeyItem {
  readonly id: string
  readonly algorithm: string
  readonly state: 'pending' | 'active' | 'retiring' | 'retired' | 'revoked'
  readonly created_at: number
  readonly activates_at: number
  readonly activated_at: number | null
  readonly retires_at: number | null
  readonly ended_at: number | null
}

export interface ClientItem {
  readonly id: string
  readonly name: string
  readonly public: boolean
  readonly redirect_uris: readonly string[]
  readonly created_by: string
  readonly created_at: number
  readonly revoked_at: number | null
}

export interface NewClientItem extends ClientItem {
  /** Null for a public client. */
  readonly secret: string | null
}

export interface Overview {
  readonly from: number
  readonly to: number
  readonly bucket_milliseconds: number
  readonly as_of: number
  readonly complete: boolean
  readonly series: readonly {
    readonly at: number
    readonly logins: number
    readonly failures: number
    readonly refreshes: number
    readonly ended: number
  }[]
  readonly refusals: readonly { readonly reason: string; readonly count: number }[]
  readonly addresses: {
    readonly busiest: readonly { readonly ip_prefix: string; readonly count: number; readonly failures: number }[]
    readonly newest: readonly { readonly ip_prefix: string; readonly first_seen: number }[]
  }
  readonly active_sessions: number
}

export interface AddressReport {
  readonly ip: string
  readonly first_seen: number | null
  readonly last_seen: number | null
  readonly counts: {
    readonly succeeded: number
    readonly failed: number
    readonly denied: number
    readonly refreshed: number
  }
  readonly users: readonly {
    /** Null for a name that is nobody's. */
    readonly user_id: string | null
    readonly identifier_mask: string | null
    readonly succeeded: number
    readonly failed: number
    readonly last_seen: number
  }[]
  readonly complete: boolean
}

export interface ConfigurationItem {
  readonly name: string
  /** The environment variable. */
  readonly env: string
  /** Of a secret `set` or `not set`. */
  readonly value: string | number | boolean | readonly string[] | null
  readonly unit: string | null
  readonly source: string
}
