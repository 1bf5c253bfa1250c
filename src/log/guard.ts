/**
 * The newest checkpoint that was signed, outside of the database: what the database says must extend it. Whoever rolls the
 * database back, or writes another history into it, cannot roll this back as well.
 *
 * One process at a time has the lock, and MUST sign nothing without it.
 */
export interface Guard {
  /** Where it is, for people. */
  readonly location: string
  /** Null while another process has it. Like all that follows, throws ERR_LOG_GUARD_UNUSABLE. */
  tryLock(): Promise<LockedGuard | null>
  /** Without the lock: what stands there by now, for whoever only compares. Null when there is none yet. */
  peek(): Promise<string | null>
  close(): Promise<void>
}

export interface LockedGuard {
  /** A signed note; null when there is none yet. */
  read(): Promise<string | null>
  /** Has reached the disk when it resolves; what was there before is there whole until then. */
  write(note: string): Promise<void>
  unlock(): Promise<void>
}

/** A lock between processes, which ends with the process that has it. */
export interface FileLock {
  tryLock(): boolean
  unlock(): void
  close(): void
}
