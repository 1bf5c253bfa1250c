import { describe, expect, test } from 'vitest'
import { parseDatabaseAddress, parseDatabaseUrl } from '../../src/server/database-url.ts'

describe('a database URL', () => {
  test.each([
    ['sqlite:gatebook.db', 'sqlite', 'gatebook.db'],
    ['sqlite:./data/gate book.db', 'sqlite', './data/gate book.db'],
    ['sqlite:/var/lib/gatebook.db', 'sqlite', '/var/lib/gatebook.db'],
    ['sqlite:///var/lib/gatebook.db', 'sqlite', '/var/lib/gatebook.db'],
    ['sqlite::memory:', 'sqlite', ':memory:'],
    [
      'postgres://app:p%23w@db.example:5433/app?sslmode=require',
      'postgres',
      'postgres://app:p%23w@db.example:5433/app?sslmode=require',
    ],
    ['postgresql://db.example/app', 'postgres', 'postgres://db.example/app'],
    ['postgres:///app?host=/run/postgresql', 'postgres', 'postgres:///app?host=/run/postgresql'],
    ['mysql://app@db.example/app', 'mysql', 'mysql://app@db.example/app'],
    ['mariadb://app@db.example:3307/app', 'mysql', 'mysql://app@db.example:3307/app'],
  ])('%s', (url, engine, target) => {
    expect(parseDatabaseAddress(url)).toEqual({ engine, target })
    expect(parseDatabaseUrl(url).name).toBe(engine)
  })

  test('the place that it names is shown without the password', () => {
    expect(parseDatabaseUrl('postgres://app:geheim@db.example/app').location).not.toContain('geheim')
  })
})
