import { expect, test } from 'vitest'
import { HeadersState, toNativeHeaders } from './headers.ts'
import { overrideGlobalObjects } from './override.ts'

overrideGlobalObjects()

function lightHeaders(...list: string[]): Headers {
  return new HeadersState(list, () => toNativeHeaders(list)).object
}

test.each(['', ' ', '\t', ' \t a \t b\t ', 'a', ' a', 'a\t', '\u00a0a\u00a0'])(
  'blanks around the value %j are removed, as by the platform',
  (value) => {
    expect(lightHeaders('x-a', value).get('x-a')).toBe(new Headers([['x-a', value]]).get('x-a'))
    expect(lightHeaders('x-a', value, 'x-a', value).get('x-a')).toBe(
      new Headers([
        ['x-a', value],
        ['x-a', value],
      ]).get('x-a'),
    )
  },
)

// The CPU time of the fastest of several runs, in microseconds.
function cpuTime(run: () => void): number {
  let fastest = Number.POSITIVE_INFINITY
  for (let attempt = 0; attempt < 7; attempt++) {
    const before = process.cpuUsage()
    run()
    const { user, system } = process.cpuUsage(before)
    fastest = Math.min(fastest, user + system)
  }
  return fastest
}

// Texts that a client can repeat in a value, between characters that end the match of an expression.
const REPEATED = [' ', '\t', ' \t', ',', ';', '.', '/', '%', 'xn--', '"', '=']
const LENGTH = 64 * 1024

test.each(REPEATED)('the time for a value of repeated %j grows linearly', (piece) => {
  const uses: ((value: string) => unknown)[] = [
    (value) => lightHeaders('content-type', value).get('content-type'),
    (value) => new Response('', { headers: { 'x-a': value } }).status,
    (value) => new Response('', { statusText: value }).status,
  ]
  for (const wrap of [(inner: string) => `\ta${inner}a`, (inner: string) => `a${inner}\u20ac`]) {
    for (const use of uses) {
      const time = (length: number): number => {
        const value = wrap(piece.repeat(length / piece.length))
        return cpuTime(() => {
          for (let i = 0; i < 4; i++) {
            try {
              use(value)
            } catch {}
          }
        })
      }
      const ratio = (): number => time(LENGTH) / Math.max(time(LENGTH / 8), 100)
      // Other processes disturb a measurement. Quadratic time, a ratio of 64, never passes.
      let smallest = ratio()
      for (let tries = 0; tries < 4 && smallest > 12; tries++) smallest = Math.min(smallest, ratio())
      expect(smallest).toBeLessThanOrEqual(12)
    }
  }
})
