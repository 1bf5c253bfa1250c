export const THEMES = ['system', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]

const KEPT_AS = 'gatebook-theme'

export function readTheme(): Theme {
  try {
    return THEMES.find((theme) => theme === localStorage.getItem(KEPT_AS)) ?? 'system'
  } catch {
    return 'system'
  }
}

export function applyTheme(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme
  window.dispatchEvent(new Event('gatebook:theme'))
}

export function chooseTheme(theme: Theme): void {
  try {
    localStorage.setItem(KEPT_AS, theme)
  } catch {
    // It holds until the page is left.
  }
  applyTheme(theme)
}
