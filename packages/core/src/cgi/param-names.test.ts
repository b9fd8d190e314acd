import { bytes } from '@fcgi-bridge/testing'
import { describe, expect, it } from 'vitest'
import { headerParamName } from './param-names.ts'

function nameOf(text: string): ReturnType<typeof headerParamName> {
  const block = bytes('before', text, 'after')
  return headerParamName(block, 6, 6 + text.length)
}

describe('headerParamName', () => {
  it.each([
    ['HTTP_ACCEPT', 'accept', true, ', '],
    ['HTTP_COOKIE', 'cookie', true, '; '],
    ['HTTP_X_REAL_IP', 'x-real-ip', true, ', '],
    ['HTTP_USER_AGENT', 'user-agent', true, undefined],
    ['HTTP_PROXY', '', true, ', '],
    ['HTTP_', '', false, ', '],
    ['HTTP_A B', 'a b', false, ', '],
  ])('classifies %s', (text, header, isToken, separator) => {
    // The second result comes from the cache.
    for (let time = 0; time < 2; time++) {
      expect(nameOf(text)).toMatchObject({ text, header, isToken, separator })
    }
  })

  it('distinguishes names that differ in a single character', () => {
    const text = 'HTTP_SEC_FETCH_DEST'
    for (let at = 5; at < text.length; at++) {
      const other = `${text.slice(0, at)}~${text.slice(at + 1)}`
      expect([nameOf(text).text, nameOf(other).text, nameOf(text).text]).toEqual([text, other, text])
    }
  })

  it('classifies names correctly when a client sends more names than the cache holds', () => {
    for (let i = 0; i < 20_000; i++) expect(nameOf(`HTTP_X_${i}`).header).toBe(`x-${i}`)
    expect(nameOf('HTTP_ACCEPT').header).toBe('accept')
  })
})
