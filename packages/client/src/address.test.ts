import { expect, test } from 'vitest'
import { type FastCgiAddress, formatAddress, parseAddress } from './address.ts'

test.each<[FastCgiAddress, ReturnType<typeof parseAddress>]>([
  ['unix:/run/app.sock', { path: '/run/app.sock' }],
  ['unix:///run/app.sock', { path: '/run/app.sock' }],
  ['unix:app.sock', { path: 'app.sock' }],
  ['/run/app.sock', { path: '/run/app.sock' }],
  ['127.0.0.1:9000', { host: '127.0.0.1', port: 9000 }],
  ['localhost:9000', { host: 'localhost', port: 9000 }],
  ['[::1]:9000', { host: '::1', port: 9000 }],
  [{ path: '/run/app.sock' }, { path: '/run/app.sock' }],
  [
    { host: 'app', port: 9000 },
    { host: 'app', port: 9000 },
  ],
  [{ port: 9000 }, { host: '127.0.0.1', port: 9000 }],
  [9000, { host: '127.0.0.1', port: 9000 }],
  ['9000', { host: '127.0.0.1', port: 9000 }],
  [':9000', { host: '127.0.0.1', port: 9000 }],
  [{ path: '\0abstract' }, { path: '\0abstract' }],
])('%j is an address', (address, expected) => {
  expect(parseAddress(address)).toEqual(expected)
})

test.each([
  '',
  'unix:',
  'localhost',
  '127.0.0.1:0',
  '127.0.0.1:65536',
  '::1:9000',
  'http://localhost:9000',
  {},
  null,
  undefined,
  true,
  0,
  65536,
  9000.5,
  '90000',
  { path: '' },
  { port: '9000' },
  { port: 9000, host: '' },
  { path: '/run/app.sock', port: 9000 },
  { socketPath: '/run/app.sock' },
  { path: '/run/a\0b' },
])('%j is refused, with the valid forms in the message', (address) => {
  expect(() => parseAddress(address as FastCgiAddress)).toThrow(/is not a FastCGI address\. Use \{ path \}/)
})

test.each([{ path: `/run/${'a'.repeat(103)}` }, `unix:/run/${'a'.repeat(103)}`, `/run/${'\xe9'.repeat(52)}`])(
  '%j is too long for the path of a socket',
  (address) => {
    expect(() => parseAddress(address)).toThrow(
      /can have up to 107 bytes, but ".*" has (?:108|109)\. Use a shorter path/,
    )
  },
)

test('formatAddress() writes an address as a person would', () => {
  expect(formatAddress({ path: '/run/app.sock' })).toBe('/run/app.sock')
  expect(formatAddress({ path: '\0abstract' })).toBe('@abstract')
  expect(formatAddress({ host: '127.0.0.1', port: 9000 })).toBe('127.0.0.1:9000')
  expect(formatAddress({ host: '::1', port: 9000 })).toBe('[::1]:9000')
})
