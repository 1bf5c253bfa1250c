// Everything here is a comfort: the pages do their work without it.

// Links in mail carry their token behind the hash, where no server and no log sees it.
const field = document.querySelector('input[data-from-hash]')
const token = new URLSearchParams(location.hash.slice(1)).get('token')
if (field !== null && token !== null) {
  field.value = token
  field.closest('[data-field]').hidden = true
  history.replaceState(null, '', location.pathname + location.search)
}

// The server does not know the time zone of the reader.
const { lang } = document.documentElement
// As the reader writes times, in the language of the page.
const language = navigator.languages.find((each) => each.split('-')[0] === lang) ?? lang
const dayOf = (date) => date.toLocaleDateString('en-CA')
for (const time of document.querySelectorAll('time')) {
  const date = new Date(time.dateTime)
  const days = Math.round((Date.parse(dayOf(date)) - Date.parse(dayOf(new Date()))) / 86_400_000)
  const clock = date.toLocaleTimeString(language, { hour: '2-digit', minute: '2-digit' })
  const day =
    days > -2
      ? new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(days, 'day')
      : date.toLocaleDateString(language, { dateStyle: 'medium' })
  time.title = date.toLocaleString(language, { dateStyle: 'full', timeStyle: 'long' })
  time.textContent = `${day} ${clock}`
}
