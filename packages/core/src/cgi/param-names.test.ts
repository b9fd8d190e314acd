import { describe, expect, it } from 'vitest'
import { bytes } from '../testing/bytes.ts'
import { paramName } from './param-names.ts'

function nameOf(text: string): ReturnType<typeof paramName> {
  const block = bytes('before', text, 'behind')
  return paramName(block, 6, 6 + text.length)
}

describe('paramName', () => {
  it.each([
    ['HTTP_ACCEPT', 'accept', ', ', false],
    ['HTTP_COOKIE', 'cookie', '; ', false],
    ['HTTP_X_REAL_IP', 'x-real-ip', ', ', false],
    ['HTTP_USER_AGENT', 'user-agent', undefined, true],
    ['HTTP_PROXY', '', ', ', false],
    ['CONTENT_TYPE', '', undefined, false],
    ['', '', undefined, false],
    ['AB', '', undefined, false],
  ])(
    'says of %s that the header is %j, and how repeats of it count',
    (text, header, separator, firstOnly) => {
      // Twice: the second time it is known already.
      for (let time = 0; time < 2; time++) {
        expect(nameOf(text)).toMatchObject({ text, header, separator, firstOnly })
      }
    },
  )

  it('tells names apart that differ in one character, wherever that is', () => {
    const text = 'HTTP_SEC_FETCH_DEST'
    for (let at = 0; at < text.length; at++) {
      const other = `${text.slice(0, at)}~${text.slice(at + 1)}`
      expect([nameOf(text).text, nameOf(other).text, nameOf(text).text]).toEqual([text, other, text])
    }
  })

  it('remembers no more names than it has room for, however many a client invents', () => {
    for (let i = 0; i < 20_000; i++) expect(nameOf(`HTTP_X_${i}`).header).toBe(`x-${i}`)
    expect(nameOf('HTTP_ACCEPT').header).toBe('accept')
  })
})
