import { expect, test } from 'vitest'
import { formatCombined, formatShort } from './access-log.ts'
import type { LogEntry } from './exchange-log.ts'

const ENTRY: LogEntry = {
  time: new Date(Date.UTC(2026, 10, 5, 20, 50, 1)),
  remoteAddress: '192.0.2.1',
  remoteUser: undefined,
  method: 'GET',
  target: '/cart?x=1',
  protocol: 'HTTP/1.1',
  status: 404,
  bytes: 512,
  duration: 3.21,
  referrer: undefined,
  userAgent: 'curl "7"\x1b[2J\nGET',
  outcome: 'ended',
  role: 'responder',
  requestId: 1,
  bytesIn: 0,
  traceId: undefined,
}

// A client that disconnected before the response, and a request whose params could not be read.
const UNANSWERED: LogEntry = { ...ENTRY, status: undefined, bytes: 0, outcome: 'aborted' }
const UNREADABLE: LogEntry = {
  ...ENTRY,
  method: undefined,
  target: undefined,
  status: 400,
  outcome: 'refused',
}

test('the short format', () => {
  expect(formatShort(ENTRY, (_, text) => text)).toBe('GET /cart?x=1 404 3.2 ms - 512')
  expect(formatShort({ ...ENTRY, target: '/\x1b[2J', outcome: 'failed' }, (_, text) => text)).toBe(
    'GET /\\x1b[2J 404 3.2 ms - 512 failed',
  )
  expect(formatShort(UNANSWERED, (_, text) => text)).toBe('GET /cart?x=1 - 3.2 ms - 0 aborted')
  expect(formatShort(UNREADABLE, (_, text) => text)).toBe('- - 400 3.2 ms - 512 refused')
})

test('the combined format escapes quotes and control characters', () => {
  expect(formatCombined(ENTRY)).toBe(
    '192.0.2.1 - - [05/Nov/2026:20:50:01 +0000] "GET /cart?x=1 HTTP/1.1" 404 512 "-" "curl \\"7\\"\\x1b[2J\\nGET"',
  )
  expect(formatCombined(UNANSWERED)).toContain('"GET /cart?x=1 HTTP/1.1" - - ')
  expect(formatCombined(UNREADABLE)).toContain('] "-" 400 512 ')
})
