import type { Draft, Mutation } from './draft.ts'
import { drawRawValue, drawText, type Lot, TEXTS } from './values.ts'

const SECRET_MEMBERS = /password|token|invitation/

export const MUTATIONS: readonly (readonly [name: string, mutate: Mutation])[] = [
  ['a member is another text', changeMember((lot) => JSON.stringify(drawText(lot)))],
  ['a member is another text', changeMember((lot) => JSON.stringify(drawText(lot)))],
  ['a member is another text', changeMember((lot) => JSON.stringify(drawText(lot)))],
  ['a member is not a text', changeMember(drawRawValue)],
  ['a member is not a text', changeMember(drawRawValue)],
  ['a member is missing', changeMember(() => null)],
  ['a member too many', addMember],
  ['a member twice', repeatMember],
  ['the body is something else', replaceBody],
  ['the body is cut off', cutBody],
  ['the body is not UTF-8', breakUtf8],
  ['the body is too large', enlargeBody],
  ['another media type', changeMediaType],
  ['the body is chunked', chunkBody],
  ['the framing is contradictory', contradictFraming],
  ['a secret in the query', (draft, _lot, planted) => query(draft, `access_token=${planted}`)],
  ['a strange query', strangeQuery],
  ['another path', changePath],
  ['another method', changeMethod],
  ['another Authorization', changeAuthorization],
  [
    'a cookie',
    (draft, _lot, planted) => void draft.headers.push(['Cookie', `session=${planted}; __Host-x=${planted}`]),
  ],
  ['addresses of a proxy', forwardedHeaders],
  ['a strange header', strangeHeader],
  ['a strange header', strangeHeader],
  ['large headers', largeHeaders],
  ['a broken header', brokenHeader],
  ['Host', changeHost],
  ['another version', changeVersion],
  ['other line ends', bareLineFeeds],
]

/** `raw` returns JSON, or null to leave the member out. Requests without a body get one. */
function changeMember(raw: (lot: Lot) => string | null): Mutation {
  return (draft, lot, planted) => {
    const body = membersOf(draft)
    const name = lot.pick(Object.keys(body)) ?? 'identifier'
    const value = raw(lot)
    const secret = SECRET_MEMBERS.test(name) && value?.startsWith('"') === true
    const written = Object.entries(body)
      .filter(([other]) => other !== name)
      .map(([other, kept]) => `${JSON.stringify(other)}:${JSON.stringify(kept)}`)
    if (value !== null) written.push(`${JSON.stringify(name)}:${secret ? `"${planted}${value.slice(1)}` : value}`)
    setBody(draft, `{${written.join(',')}}`)
  }
}

function addMember(draft: Draft, lot: Lot, planted: string): void {
  const name = lot.pick(['__proto__', 'constructor', 'admin', 'secret', '', ...TEXTS])
  const written = JSON.stringify(membersOf(draft)).slice(0, -1)
  setBody(draft, `${written}${written === '{' ? '' : ','}${JSON.stringify(name)}:"${planted}"}`)
}

function repeatMember(draft: Draft, lot: Lot, planted: string): void {
  const body = membersOf(draft)
  const name = lot.pick(Object.keys(body)) ?? 'identifier'
  const spelled = lot.once(2) ? JSON.stringify(name) : `"\\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}"`
  setBody(
    draft,
    `{${JSON.stringify(body).slice(1, -1)},${spelled}:"${SECRET_MEMBERS.test(name) ? planted : 'twice'}"}`.replace(
      '{,',
      '{',
    ),
  )
}

function replaceBody(draft: Draft, lot: Lot, planted: string): void {
  setBody(
    draft,
    lot.pick([
      '',
      '[]',
      '"text"',
      '1',
      'null',
      '{}',
      '{} {}',
      '\ufeff{}',
      '// a comment\n{}',
      `password=${planted}&identifier=anna`,
      `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>${planted}</a>`,
      `--x\r\nContent-Disposition: form-data; name="password"\r\n\r\n${planted}\r\n--x--`,
      drawRawValue(lot),
      `{"identifier":${drawRawValue(lot)}}`,
    ]),
  )
}

function cutBody(draft: Draft, lot: Lot): void {
  const body = draft.body ?? Buffer.from('{"identifier":"anna')
  setBody(draft, body.subarray(0, lot.below(body.length)))
}

function breakUtf8(draft: Draft, lot: Lot, planted: string): void {
  // Overlong, a surrogate, beyond the last code point, a start without an end, UTF-16.
  const broken = lot.pick(['c080', 'eda080', 'f4908080', 'e282', 'ff', 'fffe', '80'])
  const text = `{"identifier":"anna@app.example","password":"${planted}`
  if (lot.once(6)) setBody(draft, Buffer.from(`${text}"}`, 'utf16le'))
  else setBody(draft, Buffer.concat([Buffer.from(text), Buffer.from(broken, 'hex'), Buffer.from('"}')]))
}

function enlargeBody(draft: Draft, lot: Lot, planted: string): void {
  setBody(draft, `{"identifier":"${planted.repeat(lot.pick([8000, 20_000]))}","password":"${planted}"}`)
}

function changeMediaType(draft: Draft, lot: Lot): void {
  remove(draft, 'Content-Type')
  const type = lot.pick([
    null,
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/json; charset=utf-16',
    'application/json; charset="utf-8"',
    'application/json;charset=latin1',
    'application/jsonp',
    'multipart/form-data; boundary=x',
    ';',
    `application/json; ${'a'.repeat(3000)}`,
  ])
  if (type !== null) draft.headers.push(['Content-Type', type])
  if (lot.once(3)) draft.headers.push(['Content-Encoding', lot.pick(['gzip', 'br', 'identity', 'x'])])
  if (lot.once(4)) draft.headers.push(['Content-Type', 'application/json'])
}

function chunkBody(draft: Draft, lot: Lot): void {
  const body = draft.body ?? Buffer.from('{}')
  const size = 1 + lot.below(200)
  const extension = lot.once(3) ? `;${'x'.repeat(lot.pick([10, 5000, 20_000]))}` : ''
  const chunks: Buffer[] = []
  for (let from = 0; from < body.length; from += size) {
    const chunk = body.subarray(from, from + size)
    chunks.push(Buffer.from(`${chunk.length.toString(16)}${extension}\r\n`), chunk, Buffer.from('\r\n'))
  }
  const trailer = lot.once(4) ? 'Authorization: Bearer x\r\n' : ''
  const last = lot.pick(['0\r\n', '0\r\n', '0\r\n', '-1\r\n', 'zz\r\n', 'ffffffffffffffff\r\n'])
  draft.body = Buffer.concat([...chunks, Buffer.from(`${last}${trailer}\r\n`)])
  draft.framed = false
  draft.headers.push(['Transfer-Encoding', 'chunked'])
}

function contradictFraming(draft: Draft, lot: Lot): void {
  const length = draft.body?.length ?? 0
  draft.framed = false
  const framing: [string, string][] = lot.pick([
    [
      ['Content-Length', String(length)],
      ['Transfer-Encoding', 'chunked'],
    ],
    [
      ['Content-Length', String(length)],
      ['Content-Length', String(length + 1)],
    ],
    [['Content-Length', `${length}, ${length}`]],
    [['Content-Length', '-1']],
    [['Content-Length', `+${length}`]],
    [['Content-Length', `0x${length.toString(16)}`]],
    [['Content-Length', '99999999999999999999999']],
    [['Transfer-Encoding', 'xchunked']],
    [['Transfer-Encoding', 'chunked, identity']],
    [
      ['Transfer-Encoding', 'chunked'],
      ['Transfer-Encoding', 'chunked'],
    ],
    [['Transfer-Encoding ', 'chunked']],
  ])
  draft.headers.push(...framing)
}

function query(draft: Draft, text: string): void {
  draft.target += `${draft.target.includes('?') ? '&' : '?'}${text}`
}

function strangeQuery(draft: Draft, lot: Lot, planted: string): void {
  query(
    draft,
    lot.pick([
      'limit=0',
      'limit=501',
      'limit=1e2',
      'limit=50&limit=60',
      'limit[]=1',
      'limit[a][b]=1',
      'cursor=',
      `cursor=${'A'.repeat(513)}`,
      'cursor=eyJ9',
      'from=2026-02-31',
      'from=9999999999999999',
      'to=-1',
      'ip=::ffff:1.2.3.4/200',
      'ip=0/0',
      'user=%00',
      'user=%ff',
      'user=%',
      'type=*',
      'type=login.*.*',
      'type=%25',
      '__proto__=1',
      'constructor=1',
      `password=${planted}`,
      '&&&==&',
      '?'.repeat(50),
      `identifier=${encodeURIComponent(drawText(lot).toWellFormed())}`,
    ]),
  )
}

function changePath(draft: Draft, lot: Lot): void {
  const { target } = draft
  draft.target = lot.pick([
    '/',
    '*',
    '',
    '//localhost/auth/me',
    '/\\localhost',
    'http://localhost/auth/me',
    'http://other.example/auth/me',
    'https://[::1',
    'auth/me',
    `${target}/`,
    `/${target}`,
    target.replace('/a', '/%61'),
    target.replace('/', '/./'),
    target.replace('/', '/x/../'),
    `${target}%00`,
    `${target}%ff`,
    `${target}%`,
    `${target};x=1`,
    `${target}#fragment`,
    `${target}\t`,
    target.toUpperCase(),
    `/auth/sessions/${'a'.repeat(lot.pick([200, 8000, 15_000]))}`,
    `/auth/sessions/${encodeURIComponent(drawText(lot).toWellFormed()).slice(0, 9000)}`,
    '/auth/sessions/\xff\xfe',
    '/auth/__proto__',
    '/.well-known/../auth/me',
    '/admin/api',
    '/admin',
    '/favicon.ico',
    '/.env',
  ])
}

function changeMethod(draft: Draft, lot: Lot): void {
  draft.method = lot.pick([
    'GET',
    'HEAD',
    'POST',
    'PUT',
    'PATCH',
    'DELETE',
    'OPTIONS',
    'TRACE',
    'CONNECT',
    'PROPFIND',
    'get',
    'GETS',
    'G',
    '',
    'M-SEARCH',
    'X'.repeat(5000),
  ])
  if (lot.once(2)) draft.headers.push(['X-HTTP-Method-Override', 'DELETE'])
}

function changeAuthorization(draft: Draft, lot: Lot, planted: string): void {
  const old = draft.headers.find(([name]) => name === 'Authorization')?.[1].toString() ?? 'Bearer a.b.c'
  remove(draft, 'Authorization')
  const [head, payload, signature] = old.slice(7).split('.')
  const none = Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')
  const values: (string | Buffer)[] = [
    '',
    'Bearer',
    'Bearer ',
    `Bearer ${planted}`,
    `Bearer  ${planted}`,
    `bearer ${planted}.${planted}.${planted}`,
    `Basic ${Buffer.from(`admin:${planted}`).toString('base64')}`,
    `Bearer ${planted.repeat(1000)}`,
    `${old}=`,
    `${old} `,
    `${old}.x`,
    old.slice(0, -1),
    `Bearer ${none}.${payload}.`,
    `Bearer ${head}.${payload}.${signature?.split('').reverse().join('')}`,
    `Bearer ${head}.${Buffer.from('{"sub":1}').toString('base64url')}.${signature}`,
    Buffer.from([...Buffer.from('Bearer '), 0xff, 0xfe, 0x80]),
    `Bearer ${'a.'.repeat(2000)}`,
  ]
  draft.headers.push(['Authorization', lot.pick(values)])
  if (lot.once(4)) draft.headers.push(['Authorization', old])
}

function forwardedHeaders(draft: Draft, lot: Lot): void {
  const name = lot.pick(['X-Forwarded-For', 'Forwarded', 'X-Real-IP', 'X-Forwarded-Host', 'X-Forwarded-Proto'])
  const value = lot.pick([
    '127.0.0.1, 127.0.0.1, 127.0.0.1',
    'for=unknown;by=_hidden',
    'for="[2001:db8::1]:99999"',
    'for="\\"',
    'for=1.2.3.4;for=5.6.7.8',
    '::ffff:10.0.0.1',
    '1.2.3.4:80:80',
    '999.1.1.1',
    '0x7f000001',
    'fe80::1%eth0',
    ','.repeat(1000),
    '1.2.3.4,'.repeat(900),
    'unknown',
    "'; DROP TABLE x",
    '\t',
  ])
  draft.headers.push([name, value])
}

/** Bytes that are allowed in a header, of every kind there is. */
function strangeHeader(draft: Draft, lot: Lot): void {
  const name = lot.pick(['User-Agent', 'X-Request-Id', 'traceparent', 'Accept-Language', 'Origin', 'Referer', 'Expect'])
  const text = lot.pick([
    drawText(lot).replaceAll(/[\0\r\n]/g, ' '),
    'x'.repeat(lot.pick([128, 129, 512, 513, 8000])),
    '00-00000000000000000000000000000000-0000000000000000-01',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    'null',
    'https://evil.example',
    'http://localhost',
    '*;q=9, ko;q=x',
    '100-continue',
    '200-surprise',
    '{"level":"error"}',
    '\t\t',
  ])
  draft.headers.push([name, Buffer.from(text, lot.once(2) ? 'utf8' : 'latin1').subarray(0, 12_000)])
}

function largeHeaders(draft: Draft, lot: Lot, planted: string): void {
  const count = lot.pick([100, 500, 2100])
  if (lot.once(2)) draft.headers.push(['X-Large', planted.repeat(lot.pick([700, 1400, 2500, 10_000]))])
  else for (let at = 0; at < count; at++) draft.headers.push([`x${at}`, ''])
}

function brokenHeader(draft: Draft, lot: Lot, planted: string): void {
  draft.headers.push(
    lot.pick<[string, string | Buffer]>([
      ['X Broken', planted],
      ['X-Null', `a\0${planted}`],
      ['X-Cr', `a\r${planted}`],
      ['X-Folded', `a\r\n ${planted}`],
      ['', planted],
      ['X-Ünïcode', planted],
      ['X-Control', Buffer.from([1, 2, 3, 127])],
      [planted, ''],
    ]),
  )
}

function changeHost(draft: Draft, lot: Lot): void {
  remove(draft, 'Host')
  const host = lot.pick([null, '', 'evil.example', 'localhost:99999', 'a b', 'localhost, evil.example', '[::1', '\\'])
  if (host !== null) draft.headers.push(['Host', host])
  if (lot.once(4)) draft.headers.push(['Host', 'evil.example'])
}

function changeVersion(draft: Draft, lot: Lot): void {
  draft.version = lot.pick(['HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', 'HTTP/1.9', 'HTTP/1', 'http/1.1', 'SIP/2.0', ''])
}

function bareLineFeeds(draft: Draft): void {
  draft.lineEnd = '\n'
}

function membersOf({ body }: Draft): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body?.toString() ?? '{}')
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    // Another mutation was here before.
    return {}
  }
}

function setBody(draft: Draft, body: string | Buffer): void {
  draft.body = Buffer.from(body as string)
  if (!draft.headers.some(([name]) => name === 'Content-Type')) draft.headers.push(['Content-Type', 'application/json'])
}

function remove(draft: Draft, header: string): void {
  draft.headers = draft.headers.filter(([name]) => name !== header)
}
