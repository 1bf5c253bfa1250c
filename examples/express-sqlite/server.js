import { createApp } from './app.js'

const { app, gate } = await createApp({ file: 'gatebook.db', secretFile: 'gatebook.secret' })
const server = app.listen(3000, () => console.log('http://localhost:3000'))

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => server.close(() => gate.close()))
}
