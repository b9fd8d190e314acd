import { expect, test } from 'vitest'
import { usesSendfile } from '../index.ts'

test.each([
  'X-Accel-Redirect',
  'X-LIGHTTPD-send-file',
  'X-LIGHTTPD-send-tempfile',
  'X-Reproxy-URL',
  'X-Sendfile',
  'x-sendfile2',
  'X-SENDFILE-TEMPORARY',
])('%s asks the front server to send the body', (name) => {
  expect(usesSendfile(['Content-Type', 'text/plain', name, '/srv/files/a.txt'])).toBe(true)
})

test('a header value with such a name, and other headers, do not ask for a file', () => {
  expect(usesSendfile([])).toBe(false)
  expect(usesSendfile(['Content-Length', '5', 'X-Feature', 'X-Sendfile', 'X-Sendfile-Type', 'X-Accel'])).toBe(
    false,
  )
})
