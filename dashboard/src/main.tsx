import './styles/index.css'
import { render } from 'preact'
import { App } from './app.tsx'
import { LanguageProvider } from './i18n/language.tsx'
import { setPrefix } from './router/location.ts'
import { createDashboardSession } from './session/session.ts'
import { readSurroundings } from './surroundings.ts'
import { applyTheme, readTheme } from './theme.ts'

applyTheme(readTheme())
const surroundings = readSurroundings()
setPrefix(surroundings.admin)
const session = createDashboardSession(surroundings)
render(
  <LanguageProvider>
    <App surroundings={surroundings} session={session} />
  </LanguageProvider>,
  document.getElementById('app')!,
)
