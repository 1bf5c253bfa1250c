import type { Settings } from '../options.ts'
import type { Store } from '../store/store.ts'

/** Has what was forgotten removed from the files too, where that is ours to do; says so when it is not possible now. */
export async function scrub(
  { store, settings }: { readonly store: Store; readonly settings: Settings },
  fields: object = {},
): Promise<void> {
  if (await store.scrub()) return
  settings.diagnostics.warn(
    fields,
    'Another connection reads the database all the time: until it pauses, the WAL holds what was forgotten.',
  )
}
