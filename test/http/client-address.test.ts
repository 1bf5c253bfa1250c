import { describe, expect, test } from 'vitest'
import { type ClientAddress, createAddressReader } from '../../src/http/client-address.ts'
import { type DiagnosticsLine, recordDiagnostics } from '../support/gate.ts'
import { call, openGate } from './caller.ts'

const PROXIES = ['10.0.0.0/8', '2001:db8:1::/48', '192.0.2.7']

interface Row {
  readonly name: string
  readonly peer: string | undefined
  readonly forwarded?: string | readonly string[]
  readonly xForwardedFor?: string | readonly string[]
  readonly proxies?: readonly string[]
  readonly is: readonly [ip: string | undefined, source: ClientAddress['ipSource']]
}

const ROWS: readonly Row[] = [
  // The number of proxies, whatever their addresses are.
  { name: 'count 1, nothing in the header', peer: '198.51.100.1', proxies: ['1'], is: ['198.51.100.1', 'socket'] },
  {
    name: 'count 1, one hop',
    peer: '198.51.100.1',
    xForwardedFor: '203.0.113.9',
    proxies: ['1'],
    is: ['203.0.113.9', 'x-forwarded-for'],
  },
  {
    name: 'count 1, what the client wrote in front',
    peer: '198.51.100.1',
    xForwardedFor: '1.1.1.1, 10.0.0.1, 203.0.113.9',
    proxies: ['1'],
    is: ['203.0.113.9', 'x-forwarded-for'],
  },
  {
    name: 'count 2, two hops',
    peer: '198.51.100.1',
    xForwardedFor: '1.1.1.1, 203.0.113.9, 198.51.100.2',
    proxies: ['2'],
    is: ['203.0.113.9', 'x-forwarded-for'],
  },
  {
    name: 'count 2, one hop: somebody came past a proxy',
    peer: '198.51.100.1',
    xForwardedFor: '203.0.113.9',
    proxies: ['2'],
    is: ['203.0.113.9', 'x-forwarded-for'],
  },
  {
    name: 'count 2, garbage in the first hop',
    peer: '198.51.100.1',
    xForwardedFor: '203.0.113.9, nonsense',
    proxies: ['2'],
    is: ['198.51.100.1', 'header-ignored'],
  },
  {
    name: 'count 2, garbage in the second hop',
    peer: '198.51.100.1',
    xForwardedFor: '1.1.1.1, nonsense, 198.51.100.2',
    proxies: ['2'],
    is: ['198.51.100.2', 'x-forwarded-for'],
  },
  {
    name: 'count 1, Forwarded',
    peer: '198.51.100.1',
    forwarded: 'for=1.1.1.1, for="[2001:db8::5]:443"',
    proxies: ['1'],
    is: ['2001:db8::5', 'forwarded'],
  },
  {
    name: 'count 2, several lines',
    peer: '2001:db8:1::1',
    xForwardedFor: ['1.1.1.1', '203.0.113.9, 198.51.100.2'],
    proxies: ['2'],
    is: ['203.0.113.9', 'x-forwarded-for'],
  },
  {
    name: 'count 1, both headers in conflict',
    peer: '198.51.100.1',
    forwarded: 'for=1.1.1.1',
    xForwardedFor: '203.0.113.9',
    proxies: ['1'],
    is: ['198.51.100.1', 'header-ignored'],
  },
  // No trusted hop: nothing that a client writes counts.
  {
    name: 'Forwarded without any trusted proxy',
    peer: '203.0.113.9',
    forwarded: 'for=127.0.0.1',
    proxies: [],
    is: ['203.0.113.9', 'header-ignored'],
  },
  {
    name: 'an empty header without any trusted proxy',
    peer: '203.0.113.9',
    xForwardedFor: '',
    proxies: [],
    is: ['203.0.113.9', 'header-ignored'],
  },
  {
    name: 'a peer next to the trusted range',
    peer: '11.0.0.0',
    xForwardedFor: '1.1.1.1',
    is: ['11.0.0.0', 'header-ignored'],
  },
  {
    name: 'an untrusted proxy behind a trusted one',
    peer: '10.0.0.1',
    xForwardedFor: '1.1.1.1, 203.0.113.77',
    is: ['203.0.113.77', 'x-forwarded-for'],
  },
  {
    name: 'hexadecimal',
    peer: '10.0.0.1',
    xForwardedFor: '0xcb.0.113.9',
    is: ['10.0.0.1', 'header-ignored'],
  },
  { name: 'three parts', peer: '10.0.0.1', xForwardedFor: '203.0.113', is: ['10.0.0.1', 'header-ignored'] },
  { name: 'a part too large', peer: '10.0.0.1', xForwardedFor: '203.0.113.256', is: ['10.0.0.1', 'header-ignored'] },
  { name: 'a host name', peer: '10.0.0.1', xForwardedFor: 'localhost', is: ['10.0.0.1', 'header-ignored'] },
  { name: 'a CIDR', peer: '10.0.0.1', xForwardedFor: '203.0.113.0/24', is: ['10.0.0.1', 'header-ignored'] },
  {
    name: 'another separator',
    peer: '10.0.0.1',
    xForwardedFor: '1.1.1.1; 203.0.113.9',
    is: ['10.0.0.1', 'header-ignored'],
  },
  {
    name: 'a tab around it',
    peer: '10.0.0.1',
    xForwardedFor: '\t203.0.113.9\t',
    is: ['203.0.113.9', 'x-forwarded-for'],
  },
  {
    name: 'a zone',
    peer: '10.0.0.1',
    xForwardedFor: 'fe80::1%eth0',
    is: ['fe80::1', 'x-forwarded-for'],
  },
  { name: 'the peer with a zone', peer: 'fe80::1%eth0', is: ['fe80::1', 'socket'] },
  {
    name: 'IPv4-mapped in hexadecimal',
    peer: '10.0.0.1',
    xForwardedFor: '::ffff:cb00:7109',
    is: ['203.0.113.9', 'x-forwarded-for'],
  },
  {
    name: 'IPv6 with a bracket left open',
    peer: '10.0.0.1',
    xForwardedFor: '[2001:db8::5',
    is: ['10.0.0.1', 'header-ignored'],
  },
  {
    name: 'a very long element',
    peer: '10.0.0.1',
    xForwardedFor: `${'1'.repeat(5000)}, 203.0.113.9`,
    is: ['203.0.113.9', 'x-forwarded-for'],
  },

  { name: 'the socket', peer: '203.0.113.9', is: ['203.0.113.9', 'socket'] },
  { name: 'the socket, IPv4-mapped', peer: '::ffff:203.0.113.9', is: ['203.0.113.9', 'socket'] },
  { name: 'no socket', peer: undefined, is: [undefined, 'unknown'] },
  {
    name: 'no socket, whatever the headers say',
    peer: undefined,
    xForwardedFor: '1.1.1.1',
    is: [undefined, 'unknown'],
  },
  {
    name: 'headers of an untrusted peer',
    peer: '203.0.113.9',
    forwarded: 'for=1.1.1.1',
    xForwardedFor: '1.1.1.1',
    is: ['203.0.113.9', 'header-ignored'],
  },
  {
    name: 'headers without any trusted proxy',
    peer: '10.0.0.1',
    xForwardedFor: '1.1.1.1',
    proxies: [],
    is: ['10.0.0.1', 'header-ignored'],
  },
  { name: 'one proxy', peer: '10.0.0.1', xForwardedFor: '203.0.113.9', is: ['203.0.113.9', 'x-forwarded-for'] },
  {
    name: 'one proxy, IPv4-mapped',
    peer: '::ffff:10.0.0.1',
    xForwardedFor: '203.0.113.9',
    is: ['203.0.113.9', 'x-forwarded-for'],
  },
  {
    name: 'what the client wrote in front',
    peer: '10.0.0.1',
    xForwardedFor: '1.1.1.1, 203.0.113.9',
    is: ['203.0.113.9', 'x-forwarded-for'],
  },
  {
    name: 'a trusted address that the client wrote',
    peer: '10.0.0.1',
    xForwardedFor: '10.9.9.9, 203.0.113.9',
    is: ['203.0.113.9', 'x-forwarded-for'],
  },
  {
    name: 'two proxies',
    peer: '10.0.0.1',
    xForwardedFor: '1.1.1.1, 203.0.113.9, 192.0.2.7',
    is: ['203.0.113.9', 'x-forwarded-for'],
  },
  {
    name: 'two header lines',
    peer: '10.0.0.1',
    xForwardedFor: ['203.0.113.9', '192.0.2.7'],
    is: ['203.0.113.9', 'x-forwarded-for'],
  },
  {
    name: 'nothing but proxies',
    peer: '10.0.0.1',
    xForwardedFor: '10.0.0.3, 10.0.0.2',
    is: ['10.0.0.3', 'x-forwarded-for'],
  },
  { name: 'a proxy without the header', peer: '10.0.0.1', is: ['10.0.0.1', 'socket'] },
  { name: 'a port', peer: '10.0.0.1', xForwardedFor: '203.0.113.9:4711', is: ['203.0.113.9', 'x-forwarded-for'] },
  { name: 'IPv6', peer: '2001:db8:1::1', xForwardedFor: '2001:DB8::0:5', is: ['2001:db8::5', 'x-forwarded-for'] },
  {
    name: 'IPv6 in brackets',
    peer: '10.0.0.1',
    xForwardedFor: '[2001:db8::5]',
    is: ['2001:db8::5', 'x-forwarded-for'],
  },
  {
    name: 'IPv6 in brackets with a port',
    peer: '10.0.0.1',
    xForwardedFor: '[2001:db8::5]:443',
    is: ['2001:db8::5', 'x-forwarded-for'],
  },
  { name: 'IPv4 in brackets', peer: '10.0.0.1', xForwardedFor: '[203.0.113.9]', is: ['10.0.0.1', 'header-ignored'] },
  {
    name: 'IPv4-mapped in the header',
    peer: '10.0.0.1',
    xForwardedFor: '::ffff:203.0.113.9',
    is: ['203.0.113.9', 'x-forwarded-for'],
  },
  {
    name: 'garbage at once',
    peer: '10.0.0.1',
    xForwardedFor: '203.0.113.9, unknown',
    is: ['10.0.0.1', 'header-ignored'],
  },
  {
    name: 'garbage behind a proxy',
    peer: '10.0.0.1',
    xForwardedFor: '203.0.113.9, <script>, 192.0.2.7',
    is: ['192.0.2.7', 'x-forwarded-for'],
  },
  {
    name: 'an empty element',
    peer: '10.0.0.1',
    xForwardedFor: '203.0.113.9,,192.0.2.7',
    is: ['192.0.2.7', 'x-forwarded-for'],
  },
  { name: 'an empty header', peer: '10.0.0.1', xForwardedFor: '', is: ['10.0.0.1', 'header-ignored'] },
  { name: 'octal', peer: '10.0.0.1', xForwardedFor: '0313.0.0.1', is: ['10.0.0.1', 'header-ignored'] },
  {
    name: 'Forwarded',
    peer: '10.0.0.1',
    forwarded: 'for=203.0.113.9;proto=https;by=10.0.0.1',
    is: ['203.0.113.9', 'forwarded'],
  },
  {
    name: 'Forwarded, other case and order',
    peer: '10.0.0.1',
    forwarded: 'Proto=https; FOR="203.0.113.9:80"',
    is: ['203.0.113.9', 'forwarded'],
  },
  {
    name: 'Forwarded, IPv6',
    peer: '10.0.0.1',
    forwarded: 'for="[2001:db8::5]:4711"',
    is: ['2001:db8::5', 'forwarded'],
  },
  {
    name: 'Forwarded, obfuscated port',
    peer: '10.0.0.1',
    forwarded: 'for="203.0.113.9:_http"',
    is: ['203.0.113.9', 'forwarded'],
  },
  {
    name: 'Forwarded, two proxies',
    peer: '10.0.0.1',
    forwarded: 'for=1.1.1.1, for=203.0.113.9, for=192.0.2.7',
    is: ['203.0.113.9', 'forwarded'],
  },
  { name: 'Forwarded, unknown', peer: '10.0.0.1', forwarded: 'for=unknown', is: ['10.0.0.1', 'header-ignored'] },
  {
    name: 'Forwarded, hidden behind a proxy',
    peer: '10.0.0.1',
    forwarded: 'for=_secret, for=192.0.2.7',
    is: ['192.0.2.7', 'forwarded'],
  },
  { name: 'Forwarded without for', peer: '10.0.0.1', forwarded: 'proto=https', is: ['10.0.0.1', 'header-ignored'] },
  {
    name: 'Forwarded with two for',
    peer: '10.0.0.1',
    forwarded: 'for=1.1.1.1;for=203.0.113.9',
    is: ['10.0.0.1', 'header-ignored'],
  },
  {
    name: 'a comma in a quoted part',
    peer: '10.0.0.1',
    forwarded: 'for=203.0.113.9;host="a, for=1.1.1.1"',
    is: ['203.0.113.9', 'forwarded'],
  },
  // A client cannot swallow what the proxy appends.
  {
    name: 'a quote left open',
    peer: '10.0.0.1',
    forwarded: 'for="1.1.1.1, for=203.0.113.9',
    is: ['203.0.113.9', 'forwarded'],
  },
  {
    name: 'a quote left open, closed by the proxy',
    peer: '10.0.0.1',
    forwarded: 'for=1.1.1.1;x="a, for="[2001:db8::5]"',
    is: ['2001:db8::5', 'forwarded'],
  },
  // One of the two headers is the client's own, and nobody can tell which.
  {
    name: 'both, in agreement',
    peer: '10.0.0.1',
    forwarded: 'for=203.0.113.9',
    xForwardedFor: '203.0.113.9',
    is: ['203.0.113.9', 'forwarded'],
  },
  {
    name: 'both, in conflict',
    peer: '10.0.0.1',
    forwarded: 'for=1.1.1.1',
    xForwardedFor: '203.0.113.9',
    is: ['10.0.0.1', 'header-ignored'],
  },
  {
    name: 'both, in conflict behind a proxy',
    peer: '10.0.0.1',
    forwarded: 'for=1.1.1.1, for=192.0.2.7',
    xForwardedFor: '203.0.113.9, 192.0.2.7',
    is: ['192.0.2.7', 'forwarded'],
  },
  {
    name: 'both, one longer',
    peer: '10.0.0.1',
    forwarded: 'for=192.0.2.7',
    xForwardedFor: '1.1.1.1, 192.0.2.7',
    is: ['192.0.2.7', 'forwarded'],
  },
]

describe('the address of the client is', () => {
  test.each(ROWS)('$name', ({ peer, forwarded = [], xForwardedFor = [], proxies = PROXIES, is: [ip, ipSource] }) => {
    const headers = new Headers()
    for (const line of [forwarded].flat()) headers.append('Forwarded', line)
    for (const line of [xForwardedFor].flat()) headers.append('X-Forwarded-For', line)
    const read = createAddressReader(proxies)
    expect(read(headers, { remoteAddress: peer })).toEqual(ip === undefined ? { ipSource } : { ip, ipSource })
  })

  test('found in time, however long the header', () => {
    const read = createAddressReader(PROXIES)
    // A hundred times what a server lets through: work that grows with the square would not end before the time-out.
    const headers = new Headers({ Forwarded: ',"'.repeat(800_000), 'X-Forwarded-For': '10.0.0.1,'.repeat(200_000) })
    expect(read(headers, { remoteAddress: '10.0.0.1' }).ip).toBe('10.0.0.1')
  })
})

test.each(['', 'proxy.example', '10.0.0.0/33', '10.0.0.1-10.0.0.9', '*', '1', '2'])(
  '%j is no trusted proxy',
  (proxy) => {
    expect(() => createAddressReader(['10.0.0.1', proxy])).toThrow(
      expect.objectContaining({ code: 'ERR_OPTION_INVALID', detail: expect.stringContaining('trustedProxies') }),
    )
  },
)

test.each(['0', '10', '-1', '1.5', 'two'])('%j is no number of proxies', (count) => {
  expect(() => createAddressReader([count])).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }))
})

describe('a forwarding header that nobody asked for', () => {
  const warningsAfter = async (peers: readonly string[], options: object = {}): Promise<readonly object[]> => {
    const lines: DiagnosticsLine[] = []
    const gate = await openGate({ diagnostics: recordDiagnostics(lines), ...options })
    const headers = { 'X-Forwarded-For': '192.0.2.1' }
    for (const remoteAddress of peers) await call(gate, 'GET /auth/me', { headers, remoteAddress })
    await gate.close()
    return lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields)
  }

  test('is said once, when a proxy of one’s own can have written it', async () => {
    expect(await warningsAfter(['10.0.0.1', '127.0.0.1', '10.0.0.1'])).toEqual([{ peer: '10.0.0.1' }])
  })

  test('is not worth a line from the internet, or where the proxies are named', async () => {
    expect(await warningsAfter(['203.0.114.9', '2a00::1'])).toEqual([])
    expect(await warningsAfter(['10.0.0.1'], { trustedProxies: ['10.0.0.2'] })).toEqual([])
  })
})
