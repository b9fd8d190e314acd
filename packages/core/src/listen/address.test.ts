import { expect, test } from 'vitest'
import { parseAddress } from './address.ts'

test.each([
  ['9000', { port: 9000 }],
  [' 9000\n', { port: 9000 }],
  [':9000', { port: 9000 }],
  ['0', { port: 0 }],
  ['127.0.0.1:9000', { port: 9000, host: '127.0.0.1' }],
  ['localhost:9000', { port: 9000, host: 'localhost' }],
  ['app.internal:65535', { port: 65535, host: 'app.internal' }],
  ['[::1]:9000', { port: 9000, host: '::1' }],
  ['[::ffff:127.0.0.1]:9000', { port: 9000, host: '::ffff:127.0.0.1' }],
  ['*:9000', { port: 9000, host: '::' }],
  ['/run/app.sock', { path: '/run/app.sock' }],
  ['./app.sock', { path: './app.sock' }],
  ['unix:/run/app.sock', { path: '/run/app.sock' }],
])('%j', (text, expected) => {
  expect(parseAddress(text)).toEqual(expected)
})

test.each([
  '',
  'localhost',
  '65536',
  '127.0.0.1:',
  '::1:9000',
  '[::1]',
  'http://localhost:9000',
  'app.sock',
  'unix:',
  '-1',
  '1e3',
])('%j is refused with a message that shows valid forms', (text) => {
  expect(() => parseAddress(text)).toThrow(RangeError)
  expect(() => parseAddress(text)).toThrow(`'${text}' is not an address to listen on. Write 9000,`)
})
