import { expect, test } from 'vitest'
import { nginxWord } from './quote.ts'

test.each([
  ['/srv/a b;{c}#d', '"/srv/a b;{c}#d"'],
  ['/srv/"a"\\b\\', '"/srv/\\"a\\"\\\\b\\\\"'],
])('nginx: %s', (text, written) => {
  expect(nginxWord(text)).toBe(written)
})

test('nginx: $ is a variable wherever it stands', () => {
  expect(() => nginxWord('/srv/$a')).toThrow(
    '"/srv/$a": nginx\'s config has no way to write $ in this place.',
  )
})
