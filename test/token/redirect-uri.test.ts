import { describe, expect, test } from 'vitest'
import { checkRedirectUris, isAllowedRedirect } from '../../src/token/redirect-uri.ts'

describe('redirect addresses', () => {
  test.each([
    'https://shop.example/back',
    'https://shop.example/back?tenant=7',
    'http://localhost:3000/back',
    'http://127.0.0.1/back',
    'http://[::1]:8080/back',
    'com.example.shop:/back',
  ])('can be %s', (uri) => {
    expect(checkRedirectUris([uri, uri])).toEqual([uri])
    expect(isAllowedRedirect(uri, [uri])).toBe(true)
  })

  test.each([
    'http://shop.example/back',
    'https://shop.example/back#here',
    'https://shop.example/*',
    'https://*.shop.example/back',
    'https://user@shop.example/back',
    'https://shop.example/back?code=1',
    'https://shop.example\\@evil.example/',
    'https://shop.example/ back',
    'https://shop.example/뒤로',
    `https://shop.example/${'x'.repeat(500)}`,
    'https:shop.example/back',
    'https:///shop.example/back',
    'https://ex%61mple.com/back',
    'http://2130706433/back',
    'https://SHOP.example/back',
    'https://shop.example:443/back',
    'https://shop.example/back?error=x',
    'javascript:alert(1)',
    'data:text/html,x',
    'shop:/back',
    '//shop.example/back',
    '/back',
    '',
  ])('cannot be %s', (uri) => {
    expect(() => checkRedirectUris([uri])).toThrow(expect.objectContaining({ code: 'ERR_REDIRECT_URI_INVALID' }))
    expect(isAllowedRedirect(uri, [uri])).toBe(false)
  })

  test('of this machine have room for a port', () => {
    const uri = `http://127.0.0.1/${'x'.repeat(500 - 'http://127.0.0.1/'.length)}`
    expect(checkRedirectUris([uri])).toEqual([uri])
    expect(isAllowedRedirect(uri.replace('127.0.0.1', '127.0.0.1:65535'), [uri])).toBe(true)
  })

  test('are ten at most', () => {
    const many = Array.from({ length: 11 }, (_, place) => `https://shop.example/${place}`)
    expect(checkRedirectUris(many.slice(1))).toHaveLength(10)
    expect(() => checkRedirectUris(many)).toThrow(expect.objectContaining({ code: 'ERR_REDIRECT_URI_INVALID' }))
  })

  test.each([
    ['https://shop.example/back', 'https://shop.example/back/'],
    ['https://shop.example/back', 'https://shop.example/back?x=1'],
    ['https://shop.example/back', 'https://SHOP.example/back'],
    ['https://shop.example/back', 'https://shop.example:443/back'],
    ['https://shop.example/back', 'https://shop.example/a/../back'],
    ['https://shop.example/back', 'https://shop.example.evil.example/back'],
    ['http://localhost/back', 'http://localhost:5000/back'],
    ['http://127.0.0.1/back', 'http://127.0.0.1:5000/other'],
    ['http://127.0.0.1/back', 'http://127.0.0.1.evil.example/back'],
    ['http://127.0.0.1/back', 'http://127.0.0.1:5000@evil.example/back'],
    ['http://127.0.0.1/back', 'http://127.0.0.1:99999/back'],
    ['http://127.0.0.1/back', 'http://[::1]/back'],
  ])('are compared as they stand: %s is not %s', (allowed, presented) => {
    expect(isAllowedRedirect(presented, [allowed])).toBe(false)
  })

  test.each([
    ['http://127.0.0.1/back', 'http://127.0.0.1:51234/back'],
    ['http://127.0.0.1:3000/back', 'http://127.0.0.1:51234/back'],
    ['http://[::1]/back', 'http://[::1]:51234/back'],
  ])('of this machine have any port: %s is %s (RFC 8252 §7.3)', (allowed, presented) => {
    expect(isAllowedRedirect(presented, [allowed])).toBe(true)
  })
})
