// What such an application has had for years: its own table, its own ids, its own password check.
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

const derive = promisify(scrypt)

/** For an address that nobody has: the check then takes as long as for one that somebody has. */
const nobody = { passwordHash: await hashPassword(randomBytes(16).toString('hex')) }

export async function createUsersTable(pool) {
  await pool.query(`CREATE TABLE IF NOT EXISTS users (
    id INT AUTO_INCREMENT PRIMARY KEY,
    email VARCHAR(255) NOT NULL UNIQUE,
    name VARCHAR(100) NOT NULL,
    is_staff BOOLEAN NOT NULL DEFAULT FALSE,
    password_hash VARCHAR(255) NOT NULL
  )`)
}

export async function addUser(pool, { email, name, password, isStaff = false }) {
  const [{ insertId }] = await pool.execute(
    'INSERT INTO users (email, name, is_staff, password_hash) VALUES (?, ?, ?, ?)',
    [email, name, isStaff, await hashPassword(password)],
  )
  return insertId
}

export async function findUserByEmail(pool, email) {
  const [rows] = await pool.execute(
    'SELECT id, email, name, is_staff AS isStaff, password_hash AS passwordHash FROM users WHERE email = ?',
    [email],
  )
  return rows[0] ?? null
}

export async function passwordMatches(user, password) {
  const [salt, hash] = (user ?? nobody).passwordHash.split(':').map((part) => Buffer.from(part, 'base64'))
  return timingSafeEqual(await derive(password, salt, hash.length), hash) && user !== null
}

async function hashPassword(password) {
  const salt = randomBytes(16)
  return `${salt.toString('base64')}:${(await derive(password, salt, 32)).toString('base64')}`
}
