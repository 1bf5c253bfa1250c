const form = document.querySelector('form')
const told = document.querySelector('output')

/** Where the visitor wanted to go: on this site, and nowhere else. nginx writes it there as it is, with its own `?` and `&`. */
function nextPage() {
  const next = new URL(location.search.replace(/^\?next=/, '') || '/', location.origin)
  return next.origin === location.origin ? next.pathname + next.search : '/'
}

const post = (path, body) =>
  fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...body, cookies: true }),
  })

// Whoever was signed in ten minutes ago still is: the access token has expired, the session has not.
if ((await post('/auth/refresh', {})).ok) location.replace(nextPage())

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  const { identifier, password } = Object.fromEntries(new FormData(form))
  const answer = await post('/auth/login', { identifier, password })
  if (answer.ok) location.replace(nextPage())
  else told.value = (await answer.json()).detail
})
