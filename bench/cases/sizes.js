import { compareSides } from '../lib/ratio.js'
import { express, hono } from './apps.js'

const KIB = 1024

/** @type {import('./index.js').Case[]} */
export const sizeCases = [16 * KIB, 256 * KIB].flatMap((length) => {
  const variant = String(length)
  const bare = {
    side: { program: 'core-bytes.js', variant, protocol: 'fastcgi' },
    peer: { program: 'http-bytes.js', variant, protocol: 'http' },
  }
  return [
    sizeCase('core', 'core', bare, length),
    sizeCase('fetch', 'Hono', hono, length),
    sizeCase('express', 'Express 5', express, length),
  ]
})

function sizeCase(name, title, sides, length) {
  const size = `${length / KIB} KiB`
  const work = { request: { path: `/bytes/${length}` }, expected: { length } }
  const rows = [{ name: `${title}, ${size} / the same over HTTP`, side: 'side', peer: 'peer', bar: 1 }]
  return {
    name: `size-${name}-${length / KIB}k`,
    run: (setting) => compareSides({ work, sides, rows }, withFewRounds(setting)),
  }
}

// Few rounds suffice, because the cost of copying varies little. A comparison with another checkout keeps all of its rounds, because it must show
// differences of a few per cent.
function withFewRounds(setting) {
  if (setting.against !== undefined) return setting
  return {
    ...setting,
    pace: { ...setting.pace, launches: 1, warmUpRequests: setting.pace.warmUpRequests / 4 },
  }
}
