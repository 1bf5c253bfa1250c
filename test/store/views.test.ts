import { type Kysely, sql } from 'kysely'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createGatebook } from '../../src/gatebook.ts'
import type { GatebookOptions } from '../../src/options.ts'
import type { Tables } from '../../src/store/tables.ts'
import { availableEngines } from '../support/engines.ts'
import {
  CHEAP_HASHES,
  type DiagnosticsLine,
  dialectOf,
  ISSUER,
  openOwnGate,
  recordDiagnostics,
  SECRET,
} from '../support/gate.ts'
import { signingOf } from '../support/log-signing.ts'

type Row = Record<string, unknown>

describe.each(availableEngines)('the views on $name', (engine) => {
  const query = async (db: Kysely<Tables>, text: string): Promise<Row[]> => {
    const { rows } = await sql.raw<Row>(text).execute(db)
    return rows
  }

  /** A new database with something in it before the first gate opens it. */
  async function opened(options: Partial<GatebookOptions>, before: readonly string[] = []) {
    const database = await engine.createDatabase()
    onTestFinished(() => database.drop())
    const direct = await dialectOf(database.url).connect()
    onTestFinished(() => direct.close())
    for (const statement of before) await query(direct.kysely, statement)
    const open = async (more: Partial<GatebookOptions>) => {
      const diagnostics: DiagnosticsLine[] = []
      const gate = await createGatebook({
        issuer: ISSUER,
        secret: SECRET,
        ...signingOf(database.url),
        database: dialectOf(database.url),
        diagnostics: recordDiagnostics(diagnostics),
        ...CHEAP_HASHES,
        ...options,
        ...more,
      })
      onTestFinished(() => gate.close())
      return { gate, warnings: diagnostics.filter(({ level }) => level === 'warn').map(({ message }) => message) }
    }
    return { ...(await open({})), db: direct.kysely, reopen: open }
  }

  test('have one row per log-in, and one per log-in and logout', async () => {
    const on = await openOwnGate(engine)
    const anna = on.person()
    const first = await on.gate.register(anna, { ip: '2001:db8::1:2' })
    on.clock.advance(1_234)
    await on.gate.logout({ accessToken: first.accessToken }, { ip: '10.0.0.1' })
    await on.gate.login(anna, { ip: '10.0.0.2' })
    const { kysely: db } = on.direct
    const logs = await query(db, 'SELECT * FROM user_logs ORDER BY id')
    expect(logs.map(({ id: _id, login_time: _login, logout_time: _logout, ...rest }) => rest)).toEqual([
      { user_id: first.userId, ip_address: '2001:db8::1:2', end_reason: 'logout' },
      { user_id: first.userId, ip_address: '10.0.0.2', end_reason: null },
    ])
    expect(logs.map(({ logout_time: at }) => at === null)).toEqual([false, true])
    const order = engine.name === 'mysql' ? '`time`, id' : '"time", id'
    const events = await query(db, `SELECT * FROM user_log_events ORDER BY ${order}`)
    expect(events.map(({ event, ip_address: ip }) => `${event} ${ip}`)).toEqual([
      'login 2001:db8::1:2',
      'logout 10.0.0.1',
      'login 10.0.0.2',
    ])
  })

  test('show UTC to the millisecond, whatever the time zone of the session', async () => {
    const on = await openOwnGate(engine)
    const { kysely: db } = on.direct
    const instants = [0, 1, 999, 1_000, 951_782_399_999, 1_709_164_800_000, 1_800_000_000_123, 4_102_444_799_999]
    for (const at of instants) {
      on.clock.advance(at - on.clock.now())
      await on.gate.log.append({ type: 'app.tick' })
    }
    const zones = {
      sqlite: [''],
      postgres: ["SET TIME ZONE 'Asia/Kathmandu'", "SET TIME ZONE 'UTC'"],
      mysql: ["SET time_zone = '+05:45'", "SET time_zone = '+00:00'"],
    }
    const asText = {
      sqlite: 'time_utc',
      postgres: `to_char(time_utc AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS')`,
      mysql: 'SUBSTRING(CAST(time_utc AS CHAR), 1, 23)',
    }
    for (const zone of zones[engine.name]) {
      const rows = await db.connection().execute(async (one) => {
        if (zone !== '') await query(one, zone)
        return query(
          one,
          `SELECT at, ${asText[engine.name]} AS utc FROM gatebook_event WHERE type = 'app.tick' ORDER BY number`,
        )
      })
      expect(rows.map(({ utc }) => utc)).toEqual(
        instants.map((at) => new Date(at).toISOString().replace('T', ' ').replace('Z', '')),
      )
    }
  })

  test('join with the users of the application', async () => {
    const { gate, db } = await opened({ userLogsUserId: 'integer' }, [
      'CREATE TABLE users (id BIGINT PRIMARY KEY, name VARCHAR(50))',
      "INSERT INTO users VALUES (42, 'anna'), (9007199254740991, 'bert'), (43, 'carl')",
    ])
    for (const userId of [
      42,
      Number.MAX_SAFE_INTEGER,
      '9223372036854775807',
      '9223372036854775808',
      '042',
      'x42',
      -1,
    ]) {
      await gate.sessions.start(userId)
    }
    const rows = await query(db, 'SELECT u.name FROM user_logs l JOIN users u ON u.id = l.user_id ORDER BY l.id')
    expect(rows).toEqual([{ name: 'anna' }, { name: 'bert' }])
    const ids = await query(
      db,
      `SELECT CAST(user_id AS ${engine.name === 'mysql' ? 'CHAR' : 'TEXT'}) AS id FROM user_logs ORDER BY id`,
    )
    expect(ids.map(({ id }) => id)).toContain('9223372036854775807')
  })

  test('are left alone where there is a table of that name, with a warning, and log-ins go on', async () => {
    const { gate, db, warnings, reopen } = await opened({}, [
      'CREATE TABLE user_logs (id INTEGER PRIMARY KEY)',
      'INSERT INTO user_logs VALUES (7)',
    ])
    expect(warnings).toEqual([expect.stringContaining('There is already a table or view user_logs')])
    await gate.sessions.start(1)
    expect(await query(db, 'SELECT * FROM user_logs')).toEqual([{ id: 7 }])
    const other = await reopen({ userLogsView: 'gatebook_user_logs', userLogEventsView: '' })
    expect(other.warnings).toEqual([])
    expect(await query(db, 'SELECT user_id FROM gatebook_user_logs')).toEqual([{ user_id: '1' }])
  })

  test('are made again when their option has changed, and not otherwise', async () => {
    const { gate, db, reopen } = await opened({})
    await gate.sessions.start(1)
    const first = () => query(db, 'SELECT user_id FROM user_logs')
    expect(await first()).toEqual([{ user_id: '1' }])
    expect((await reopen({ userLogsUserId: 'integer' })).warnings).toEqual([])
    expect(await first()).toEqual([{ user_id: 1 }])
    expect((await reopen({ userLogsUserId: 'text' })).warnings).toEqual([])
    expect(await first()).toEqual([{ user_id: '1' }])
  })

  test('are not needed: none where both names are empty', async () => {
    const { gate, db } = await opened({ userLogsView: '', userLogEventsView: '' })
    await gate.sessions.start(1)
    await expect(query(db, 'SELECT * FROM user_logs')).rejects.toThrow()
  })

  test('answer a filter on their time from an index', async () => {
    const on = await openOwnGate(engine)
    const { kysely: db } = on.direct
    await fill(db)
    const since = engine.name === 'postgres' ? "timestamptz '2033-05-01 00:00:00Z'" : "'2033-05-01 00:00:00'"
    for (const [view, column] of [
      ['user_logs', 'login_time'],
      ['user_log_events', engine.name === 'mysql' ? '`time`' : '"time"'],
    ]) {
      const plan = await explain(db, `SELECT * FROM ${view} WHERE ${column} >= ${since}`)
      expect(plan, view).toMatch(/gatebook_event_by_time/)
      expect(plan, view).not.toMatch(
        /Seq Scan on gatebook_event|SCAN (e|gatebook_event)\b(?! USING)|"access_type": "ALL"/,
      )
    }
  })

  /** Enough rows for a planner to care. */
  async function fill(db: Kysely<Tables>): Promise<void> {
    const types = ['login.succeeded', 'session.ended', 'session.refreshed', 'login.failed']
    for (let batch = 0; batch < 10; batch++) {
      const rows = Array.from({ length: 500 }, (_value, place) => ({
        id: `evt_${batch}_${place}`,
        type: types[place % 4]!,
        outcome: 'success',
        at: 1_700_000_000_000 + (batch * 500 + place) * 60_000_000,
        actor_kind: 'user',
        subject_id: String(place % 50),
        session_id: `ses_${batch}_${place >> 1}`,
      }))
      await db
        .insertInto('gatebook_event')
        .values(rows as never)
        .execute()
    }
    await query(db, engine.name === 'mysql' ? 'ANALYZE TABLE gatebook_event' : 'ANALYZE gatebook_event')
  }

  async function explain(db: Kysely<Tables>, text: string): Promise<string> {
    const prefix = { sqlite: 'EXPLAIN QUERY PLAN', postgres: 'EXPLAIN', mysql: 'EXPLAIN FORMAT=JSON' }[engine.name]
    return JSON.stringify(await query(db, `${prefix} ${text}`))
      .replaceAll('\\', '')
      .replaceAll(/: +/g, ': ')
  }
})
