import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { isLocal } from './local.ts'

test.each([
  ['127.0.0.1', 'localhost:8080', undefined, true],
  ['::1', '[::1]:8080', undefined, true],
  ['::ffff:127.0.0.1', '127.0.0.1:8080', undefined, true],
  ['127.0.0.1', 'localhost:8080', 'http://localhost:8080', true],
  ['192.0.2.1', 'localhost:8080', undefined, false],
  ['127.0.0.1', 'evil.example', undefined, false],
  ['127.0.0.1', 'localhost.evil.example', undefined, false],
  ['127.0.0.1', undefined, undefined, false],
  ['127.0.0.1', 'localhost:8080', 'http://evil.example', false],
  ['127.0.0.1', 'localhost:8080', 'null', false],
  [undefined, 'localhost:8080', undefined, false],
])('a request from %s with Host %s and Origin %s is local: %s', (remoteAddress, host, origin, expected) => {
  expect(isLocal({ socket: { remoteAddress }, headers: { host, origin } } as IncomingMessage)).toBe(expected)
})

test.each([
  ['forwarded', 'for=192.0.2.1', false],
  ['via', '1.1 tunnel', false],
  ['x-forwarded-for', '', false],
  ['x-forwarded-host', 'app.example', false],
  ['x-forwarded-proto', 'https', false],
  ['x-real-ip', '127.0.0.1', false],
  ['sec-fetch-site', 'cross-site', false],
  ['sec-fetch-site', 'same-site', false],
  ['sec-fetch-site', 'same-origin', true],
  ['sec-fetch-site', 'none', true],
  ['sec-fetch-mode', 'navigate', true],
])('a request with the header %s: %s is local: %s', (name, value, expected) => {
  const headers = { host: 'localhost:8080', [name]: value }
  expect(isLocal({ socket: { remoteAddress: '127.0.0.1' }, headers } as unknown as IncomingMessage)).toBe(
    expected,
  )
})
