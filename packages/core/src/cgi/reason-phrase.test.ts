import { STATUS_CODES } from 'node:http'
import { expect, test } from 'vitest'
import { reasonPhrase } from './reason-phrase.ts'

test.each(
  Object.keys(STATUS_CODES)
    .map(Number)
    .filter((status) => status >= 200),
)('%i has the reason phrase of Node', (status) => {
  expect(reasonPhrase(status)).toBe(STATUS_CODES[status])
})

test('a status without one is unknown, and a program can add one', () => {
  expect(reasonPhrase(299)).toBe('unknown')
  STATUS_CODES[298] = 'Almost'
  expect(reasonPhrase(298)).toBe('Almost')
})
