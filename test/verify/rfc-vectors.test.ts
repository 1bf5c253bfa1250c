import { describe, expect, test } from 'vitest'
import {
  importVerificationKey,
  jwkThumbprint,
  type VerificationAlgorithmName,
  type VerificationJwk,
  verifyCompact,
} from '../../src/verify/index.ts'

const JOE = '{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}'
const JOE_SEGMENT = Buffer.from(JOE).toString('base64url')

interface Vector {
  readonly name: string
  readonly algorithm: VerificationAlgorithmName
  readonly jwk: VerificationJwk & Record<string, unknown>
  readonly jws: string
  readonly payload: string
}

const RSA_N =
  'ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ'

const VECTORS: readonly Vector[] = [
  {
    name: 'RFC 7515 A.1, HS256',
    algorithm: 'HS256',
    jwk: {
      kty: 'oct',
      k: 'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
    },
    jws: `eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.${JOE_SEGMENT}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk`,
    payload: JOE,
  },
  {
    name: 'RFC 7515 A.2, RS256',
    algorithm: 'RS256',
    jwk: { kty: 'RSA', n: RSA_N, e: 'AQAB' },
    jws: `eyJhbGciOiJSUzI1NiJ9.${JOE_SEGMENT}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw`,
    payload: JOE,
  },
  {
    name: 'RFC 7515 A.3, ES256',
    algorithm: 'ES256',
    jwk: {
      kty: 'EC',
      crv: 'P-256',
      x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
      y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
    },
    jws: `eyJhbGciOiJFUzI1NiJ9.${JOE_SEGMENT}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q`,
    payload: JOE,
  },
  {
    name: 'RFC 7515 A.4, ES512',
    algorithm: 'ES512',
    jwk: {
      kty: 'EC',
      crv: 'P-521',
      x: 'AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk',
      y: 'ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2',
    },
    jws: 'eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn',
    payload: 'Payload',
  },
  {
    name: 'RFC 8037 A.4, Ed25519',
    algorithm: 'EdDSA',
    jwk: { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' },
    jws: 'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg',
    payload: 'Example of Ed25519 signing',
  },
]

describe.each(VECTORS)('$name', ({ algorithm, jwk, jws, payload }) => {
  const keys = [importVerificationKey(jwk, algorithm)]

  test('is verified', () => {
    expect(Buffer.from(verifyCompact(jws, keys, { algorithms: [algorithm] }).payload).toString()).toBe(payload)
  })

  test('is refused with any of its characters changed', () => {
    const step = Math.ceil(jws.length / 120)
    for (let at = 0; at < jws.length; at += step) {
      if (jws[at] === '.') continue
      const changed = `${jws.slice(0, at)}${jws[at] === 'A' ? 'B' : 'A'}${jws.slice(at + 1)}`
      expect(() => verifyCompact(changed, keys, { algorithms: [algorithm] }), `at ${at}`).toThrow(
        expect.objectContaining({ code: 'ERR_TOKEN_INVALID' }),
      )
    }
  })

  test('is refused where its algorithm is not asked for, or the key is for another', () => {
    const others = VECTORS.filter((other) => other.algorithm !== algorithm)
    expect(() => verifyCompact(jws, keys, { algorithms: others.map((other) => other.algorithm) })).toThrow()
    for (const other of others) {
      const wrong = [importVerificationKey(other.jwk, other.algorithm)]
      expect(() => verifyCompact(jws, wrong, { algorithms: [algorithm, other.algorithm] })).toThrow()
    }
  })
})

test.each([
  ['RFC 7515 A.5 and RFC 7519 6.1, unsecured', `eyJhbGciOiJub25lIn0.${JOE_SEGMENT}.`],
  [
    'RFC 7515 A.6, the JSON serialisation',
    JSON.stringify({
      payload: JOE_SEGMENT,
      signatures: [
        {
          protected: 'eyJhbGciOiJFUzI1NiJ9',
          header: { kid: 'e9bc097a-ce51-4036-9562-d2ade882db0d' },
          signature: 'DtEh',
        },
      ],
    }),
  ],
])('%s, is refused', (_name, jws) => {
  const keys = VECTORS.map(({ jwk, algorithm }) => importVerificationKey(jwk, algorithm))
  const algorithms = VECTORS.map(({ algorithm }) => algorithm)
  expect(() => verifyCompact(jws, keys, { algorithms })).toThrow(expect.objectContaining({ code: 'ERR_TOKEN_INVALID' }))
})

test('RFC 7519 3.1 is the token of RFC 7515 A.1, and says when it expired', () => {
  const { jws, jwk } = VECTORS[0]!
  const { payload } = verifyCompact(jws, [importVerificationKey(jwk, 'HS256')], { algorithms: ['HS256'] })
  expect(JSON.parse(Buffer.from(payload).toString())).toMatchObject({ iss: 'joe', exp: 1300819380 })
})

test('RFC 7638 3.1 and RFC 8037 A.3 are the thumbprints of their keys, whatever else the keys say', () => {
  const n =
    '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw'
  expect(jwkThumbprint({ kty: 'RSA', n, e: 'AQAB', alg: 'RS256', kid: '2011-04-29' })).toBe(
    'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs',
  )
  expect(jwkThumbprint(VECTORS[4]!.jwk)).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
  expect(() => jwkThumbprint({ kty: 'EC', crv: 'P-256', x: 'A' })).toThrow(
    expect.objectContaining({ code: 'ERR_KEY_INVALID' }),
  )
})
