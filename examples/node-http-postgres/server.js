import { createApp } from './app.js'

const { server, gate } = await createApp(process.env.POSTGRES_URL ?? 'postgres://postgres@127.0.0.1/postgres')
server.listen(3000, () => console.log('http://localhost:3000'))

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => server.close(() => gate.close()))
}
