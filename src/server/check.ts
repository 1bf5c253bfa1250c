import type { Settings } from '../options.ts'
import type { OpenDatabase } from '../store/dialect.ts'
import type { Config, Environment } from './config.ts'
import type { Finding } from './findings.ts'

/** What a check may look at. Nothing of it is changed. */
export interface CheckContext {
  readonly config: Config
  readonly environment: Environment
  /** Null when a setting is refused. */
  readonly settings: Settings | null
  /** Null while there is none that answers. */
  readonly database: OpenDatabase | null
  readonly now: () => number
}

/** One thing to look at. The files in `checks/` are these. */
export interface Check {
  readonly name: string
  /** Whether it is of no use without a database that answers. */
  readonly needsDatabase?: true
  /** Rejects when it cannot look: that is a finding too, and the others go on. */
  run(context: CheckContext): Promise<readonly Finding[]>
}
