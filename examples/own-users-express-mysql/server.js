import { createPool } from 'mysql2/promise'
import { createApp } from './app.js'
import { addUser, createUsersTable, findUserByEmail } from './users.js'

const pool = createPool({ uri: process.env.MYSQL_URL ?? 'mysql://root@127.0.0.1/shop' })
await createUsersTable(pool)
if ((await findUserByEmail(pool, 'anna@example.org')) === null) {
  await addUser(pool, { email: 'anna@example.org', name: 'Anna', password: 'an example, not a secret', isStaff: true })
}

const { app } = await createApp(pool, { secret: process.env.GATEBOOK_SECRET })
app.listen(3000, () => console.log('http://localhost:3000/login'))
