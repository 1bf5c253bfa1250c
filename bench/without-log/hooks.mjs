const EVENT_ROWS = new URL('./event-rows.ts', import.meta.url).href
const PROJECT = new URL('../../', import.meta.url).href
const DEPENDENCIES = new URL('node_modules/', PROJECT).href
const MARK = /\?with(out)?-log$/

/** What is imported with a mark is a copy of itself and of everything that it imports, but for the dependencies. */
export async function resolve(specifier, context, next) {
  const mark = (MARK.exec(specifier) ?? MARK.exec(context.parentURL ?? ''))?.[0]
  if (mark === undefined) return next(specifier, context)
  const parentURL = context.parentURL?.replace(MARK, '')
  const replaced = mark === '?without-log' && specifier.endsWith('log/append.ts') && parentURL !== EVENT_ROWS
  const resolved = await next(replaced ? EVENT_ROWS : specifier.replace(MARK, ''), { ...context, parentURL })
  const copied = resolved.url.startsWith(PROJECT) && !resolved.url.startsWith(DEPENDENCIES)
  return copied ? { ...resolved, url: resolved.url + mark } : resolved
}
