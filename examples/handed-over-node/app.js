import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { createVerifier } from 'gatebook/verify'
import * as oauth from 'oauth4webapi'

/** A shop whose users log in at Gatebook, on another site, and come back with a code (RFC 6749 §4.1, RFC 7636). */
export async function createShop({ issuer, clientId, clientSecret, origin }) {
  const redirectUri = `${origin}/signed-in`
  const client = { client_id: clientId }
  const authenticate = oauth.ClientSecretBasic(clientSecret)
  // For a Gatebook on this machine; elsewhere it is https.
  const insecure = { [oauth.allowInsecureRequests]: new URL(issuer).protocol === 'http:' }
  const server = await oauth.processDiscoveryResponse(
    new URL(issuer),
    await oauth.discoveryRequest(new URL(issuer), { algorithm: 'oauth2', ...insecure }),
  )
  // A log-out at Gatebook is known here within two seconds, without a question for each request.
  const verifier = createVerifier({ issuer, revocations: { clientId, clientSecret } })
  await verifier.ready()

  const secure = new URL(origin).protocol === 'https:' ? '; Secure' : ''
  const cookie = (name, value) => `${name}=${value}; Path=/; HttpOnly; SameSite=Lax${secure}`

  /** What a browser has begun, and the tokens of those who are logged in. In memory: an application keeps them where it keeps its sessions. */
  const begun = new Map()
  const sessions = new Map()

  const routes = {
    async 'GET /'(request, response) {
      const user = await findUser(request)
      const body = user === null ? '<a href="/sign-in">Log in</a>' : `<p>Hello ${user.userId}</p>${LOG_OUT}`
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page(body))
    },

    async 'GET /sign-in'(_request, response) {
      const [key, state, verifier] = [randomName(), oauth.generateRandomState(), oauth.generateRandomCodeVerifier()]
      // Whoever begins a thousand times must not fill the memory.
      if (begun.size >= 10_000) begun.delete(begun.keys().next().value)
      begun.set(key, { state, verifier })
      setTimeout(() => begun.delete(key), 600_000).unref()
      const to = new URL(server.authorization_endpoint)
      to.search = new URLSearchParams({
        response_type: 'code',
        client_id: clientId,
        redirect_uri: redirectUri,
        state,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      })
      response.writeHead(303, { location: to.href, 'set-cookie': cookie('shop-begun', key) }).end()
    },

    async 'GET /signed-in'(request, response) {
      const key = readCookie(request, 'shop-begun')
      const own = begun.get(key)
      begun.delete(key)
      // Somebody who has not begun it here: perhaps led here by somebody else, into an account that is not theirs.
      if (own === undefined) return response.writeHead(303, { location: '/sign-in' }).end()
      const answer = oauth.validateAuthResponse(server, client, new URL(request.url, origin), own.state)
      const granted = await oauth.authorizationCodeGrantRequest(
        ...[server, client, authenticate, answer, redirectUri, own.verifier, insecure],
      )
      const session = randomName()
      sessions.set(session, await oauth.processAuthorizationCodeResponse(server, client, granted))
      response.writeHead(303, { location: '/', 'set-cookie': cookie('shop-session', session) }).end()
    },

    async 'POST /sign-out'(request, response) {
      const key = readCookie(request, 'shop-session')
      const tokens = sessions.get(key)
      sessions.delete(key)
      if (tokens !== undefined) {
        await oauth.revocationRequest(server, client, authenticate, tokens.refresh_token, insecure)
      }
      response.writeHead(303, { location: '/', 'set-cookie': 'shop-session=; Path=/; Max-Age=0' }).end()
    },
  }

  async function findUser(request) {
    const key = readCookie(request, 'shop-session')
    const tokens = sessions.get(key)
    if (tokens === undefined) return null
    try {
      return await verifier.verify(tokens.access_token)
    } catch (error) {
      if (error.code === 'ERR_TOKEN_REVOKED') sessions.delete(key)
      if (error.code !== 'ERR_TOKEN_EXPIRED' && error.code !== 'ERR_TOKEN_STALE') return null
    }
    // One question for all requests of this moment.
    tokens.next ??= refresh(key, tokens)
    return tokens.next
  }

  async function refresh(key, tokens) {
    try {
      const reply = await oauth.refreshTokenGrantRequest(server, client, authenticate, tokens.refresh_token, insecure)
      const next = await oauth.processRefreshTokenResponse(server, client, reply)
      sessions.set(key, next)
      return await verifier.verify(next.access_token)
    } catch (error) {
      // Over is only what Gatebook says is over; it may be away for a moment.
      if (error instanceof oauth.ResponseBodyError && error.error === 'invalid_grant') sessions.delete(key)
      tokens.next = undefined
      return null
    }
  }

  const http = createServer(async (request, response) => {
    const handle = routes[`${request.method} ${request.url.split('?', 1)[0]}`]
    try {
      if (handle === undefined) response.writeHead(404).end('There is nothing here.')
      else await handle(request, response)
    } catch (error) {
      console.error(error)
      if (!response.headersSent) response.writeHead(502).end('Logging in did not work. Try again.')
    }
  })
  http.on('close', () => verifier.close())
  return http
}

const LOG_OUT = '<form method="post" action="/sign-out"><button>Log out</button></form>'
const page = (body) =>
  `<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>Shop</title><main><h1>Shop</h1>${body}</main></html>`
const randomName = () => randomBytes(32).toString('base64url')
const readCookie = (request, name) =>
  (request.headers.cookie ?? '')
    .split('; ')
    .find((each) => each.startsWith(`${name}=`))
    ?.slice(name.length + 1)
