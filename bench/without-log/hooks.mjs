const EVENT_ROWS = new URL('./event-rows.ts', import.meta.url).href

export function resolve(specifier, context, next) {
  const replaced = specifier.endsWith('log/append.ts') && context.parentURL !== EVENT_ROWS
  return next(replaced ? EVENT_ROWS : specifier, context)
}
