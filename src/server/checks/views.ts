import { listViewStates } from '../../store/sql/views.ts'
import type { Check } from '../check.ts'
import { hasTables } from './tables.ts'

export const views: Check = {
  name: 'views',
  needsDatabase: true,
  async run({ database, settings }) {
    if (settings === null || !(await hasTables(database!))) return []
    const states = await listViewStates(database!, settings)
    const wrong = states.filter(({ state }) => state !== 'ok')
    if (wrong.length === 0) return states.length === 0 ? [] : [{ code: 'views-ok', figures: { views: states.length } }]
    return (['missing', 'foreign', 'outdated'] as const)
      .map((state) => ({ code: `views-${state}` as const, count: wrong.filter((view) => view.state === state).length }))
      .filter(({ count }) => count > 0)
      .map(({ code, count }) => ({ code, figures: { views: count } }))
  },
}
