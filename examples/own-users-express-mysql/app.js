import express from 'express'
import { createGatebook, isGatebookError } from 'gatebook'
import { gatebook, requestContext, requireUser } from 'gatebook/express'
import { mysql } from 'gatebook/mysql'
import { findUserByEmail, passwordMatches } from './users.js'

export async function createApp(pool, { secret, secretFile } = {}) {
  const gate = await createGatebook({
    issuer: 'http://localhost:3000',
    // The pool that the application has anyway.
    database: mysql(pool),
    // The users are ours, so nobody registers with Gatebook, and the ids in the view user_logs are our integers.
    registration: 'closed',
    userLogsUserId: 'integer',
    secret,
    secretFile,
  })

  const app = express()
  // /auth/refresh, /auth/logout, /auth/sessions and the rest come from here.
  app.use(gatebook(gate))

  app.get('/login', (_req, res) => {
    res.sendFile('login.html', { root: import.meta.dirname })
  })

  app.post('/login', express.urlencoded(), express.json(), async (req, res) => {
    const email = String(req.body?.email ?? '')
    const password = String(req.body?.password ?? '')
    const user = await findUserByEmail(pool, email)
    const attempt = await gate.attempts.begin({ identifier: email, userId: user?.id }, requestContext(gate, req))
    if (!(await passwordMatches(user, password))) {
      await attempt.fail(user === null ? 'unknown-user' : 'wrong-password')
      res.status(401).json({ error: 'The e-mail address or the password is not right.' })
      return
    }
    const grant = { roles: user.isStaff ? ['staff'] : [], claims: { name: user.name } }
    res.json(toBody(await attempt.succeed(user.id, grant)))
  })

  app.get('/account', requireUser(gate), (req, res) => {
    res.json({ id: Number(req.user.userId), name: req.user.claims.name })
  })

  app.get('/sign-ins', requireUser(gate, { role: 'staff' }), async (_req, res) => {
    const [rows] = await pool.query(
      `SELECT users.email, login_time, logout_time, end_reason, ip_address
       FROM user_logs JOIN users ON users.id = user_logs.user_id
       ORDER BY user_logs.id`,
    )
    res.json(rows)
  })

  app.use((error, _req, res, next) => {
    if (!isGatebookError(error)) return next(error)
    if (error.retryAfterSeconds !== undefined) res.set('Retry-After', String(error.retryAfterSeconds))
    res.status(error.status).json({ error: error.message, code: error.code })
  })

  return { app, gate }
}

/** The names under which /auth/refresh returns them, too. */
function toBody({ accessToken, expiresIn, refreshToken, userId }) {
  return { access_token: accessToken, expires_in: expiresIn, refresh_token: refreshToken, user_id: userId }
}
