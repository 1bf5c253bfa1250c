import { createShop } from './app.js'

const {
  GATEBOOK_ISSUER: issuer = 'http://localhost:4280',
  SHOP_CLIENT_ID: clientId,
  SHOP_CLIENT_SECRET: clientSecret,
} = process.env
const port = Number(process.env.PORT ?? 3000)
const origin = `http://127.0.0.1:${port}`
const shop = await createShop({ issuer, clientId, clientSecret, origin })
shop.listen(port, '127.0.0.1', () => console.log(origin))

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => shop.close())
