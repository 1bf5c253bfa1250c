import express from 'express'
import { createGatebook } from 'gatebook'
import { gatebook, requireUser } from 'gatebook/express'
import { sqlite } from 'gatebook/sqlite'

export async function createApp({ file, secretFile }) {
  const gate = await createGatebook({ issuer: 'http://localhost:3000', database: sqlite(file), secretFile })
  const app = express()
  app.use(gatebook(gate))
  app.get('/hello', requireUser(gate), (req, res) => {
    res.json({ hello: req.user.userId })
  })
  return { app, gate }
}
