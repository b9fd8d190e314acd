import { Random } from '../random.js'

/**
 * A request and the calls of its listener, as JSON. It depends only on the seed and the number.
 *
 * @typedef {object} Script
 * @property {Ask} ask
 * @property {Step[]} steps
 */

/**
 * @typedef {object} Ask
 * @property {string} method
 * @property {number} body Bytes.
 * @property {boolean} chunked The client does not say how long the body is.
 * @property {number[]} pieces The body after the first piece comes later, in pieces that end at these offsets.
 * @property {boolean} leaves The client closes its connection in the middle.
 */

/**
 * A call, and when to make it.
 *
 * @typedef {object} Step
 * @property {string} when
 * @property {string} call
 * @property {any[]} [args]
 */

const SIZES = [0, 1, 10, 10, 1000, 1000, 20_000, 100_000]
const METHODS = ['GET', 'POST', 'POST', 'POST', 'PUT', 'HEAD', 'DELETE']
const STATUSES = [200, 200, 201, 204, 304, 404, 500, 799, 99, 1000, '201', 'x', 200.5]
const REASONS = ['Fine', '', 42, true, null, 'a\nb']
const NAMES = ['X-A', 'x-a', 'X-B', 'Set-Cookie', 'Content-Type', 'Vary', 'ETag', 'X Y', '']
const VALUES = ['a', 'b; c', 1, ['a', 'b'], [], '', 'x\r\ny', null, true, 'text/plain']

// Earlier entries are chosen more often.
const MOMENTS = [
  'now',
  'now',
  'now',
  'now',
  'tick',
  'microtask',
  'immediate',
  'timer',
  'req end',
  'req data',
  'req close',
  'res finish',
  'res close',
  'written',
]

/** @type {[weight: number, call: string, args?: (random: Random) => any[]][]} */
const CALLS = [
  [8, 'res.write', (random) => [chunk(random), random.once(4)]],
  [2, 'res.write string', text],
  [1, 'res.write bad', (random) => [random.pick([null, undefined, 42, {}, true, []])]],
  [9, 'res.end', (random) => [random.once(3) ? null : chunk(random), random.once(3)]],
  [2, 'res.end string', text],
  [
    4,
    'res.writeHead',
    (random) => [random.pick(STATUSES), random.pick([undefined, ...REASONS]), headers(random)],
  ],
  [4, 'res.setHeader', (random) => [random.pick(NAMES), random.pick(VALUES)]],
  [2, 'res.setHeaders', (random) => [headers(random)]],
  [2, 'res.appendHeader', (random) => [random.pick(NAMES), random.pick(VALUES)]],
  [1, 'res.removeHeader', (random) => [random.pick(NAMES)]],
  [2, 'res.contentLength', (random) => [random.pick([0, 1, 5, 10, 1000])]],
  [2, 'res.getHeaders'],
  [3, 'res.flushHeaders'],
  [2, 'res.statusCode', (random) => [random.pick(STATUSES)]],
  [2, 'res.statusMessage', (random) => [random.pick(REASONS)]],
  [1, 'res.destroy', (random) => [random.once(2)]],
  [1, 'res.cork'],
  [1, 'res.uncork'],
  [1, 'res.addTrailers', (random) => [random.pick(NAMES), random.pick(['a', 'x\r\ny'])]],
  [1, 'res.writeContinue'],
  [1, 'res.writeProcessing'],
  [1, 'res.writeEarlyHints', (random) => [random.pick(['</a.css>; rel=preload', 'bad', 7])]],
  [1, 'res.setTimeout', (random) => [random.pick([0, 5, -1, 'x'])]],
  [1, 'res.pipe', (random) => [random.pick(SIZES), random.once(4)]],
  [5, 'req.resume'],
  [2, 'req.pause'],
  [3, 'req.on data'],
  [3, 'req.on readable'],
  [2, 'req.iterate', (random) => [random.once(4)]],
  [1, 'req.read', (random) => [random.pick([undefined, 0, 1, 5])]],
  [1, 'req.setEncoding', (random) => [random.pick(['utf8', 'latin1', 'nope'])]],
  [1, 'req.destroy', (random) => [random.once(2)]],
  [2, 'req.pipe res'],
  [2, 'req.pipeline res'],
  [2, 'req.pipeline', (random) => [random.once(2)]],
  [1, 'req.unpipe'],
  [1, 'req.setTimeout', (random) => [random.pick([0, 5])]],
  [1, 'socket.destroy', (random) => [random.once(2)]],
  [1, 'socket.end'],
  [1, 'socket.setTimeout', (random) => [random.pick([0, 5])]],
  [2, 'listen error', (random) => [random.pick(['req', 'res'])]],
  [2, 'look'],
]

const TOTAL = CALLS.reduce((sum, [weight]) => sum + weight, 0)

function headers(random) {
  const entries = Array.from({ length: random.below(3) }, () => [random.pick(NAMES), random.pick(VALUES)])
  return random.pick([
    null,
    { form: 'object', entries },
    { form: 'flat', entries },
    { form: 'pairs', entries },
  ])
}

function chunk(random) {
  return { size: random.pick(SIZES), buffer: random.once(2) }
}

// Text with its encoding. (Node 20 itself crashes for a hex string of odd length.)
function text(random) {
  return random.pick([
    ['plain', 'utf8'],
    ['\u20ac', 'utf8'],
    ['\u20ac', 'utf16le'],
    ['caf\u00e9', 'latin1'],
    ['caf\u00e9', undefined],
    ['6162', 'hex'],
    ['YWI=', 'base64'],
    ['', 'latin1'],
  ])
}

/**
 * Creates the script with that number.
 *
 * @returns {Script}
 */
export function makeScript(seed, number) {
  const random = new Random(seed, number)
  const method = random.pick(METHODS)
  const body = method === 'GET' || method === 'HEAD' ? 0 : random.pick(SIZES)
  const pieces = []
  if (body > 1 && random.once(3)) {
    for (let at = random.below(body); at < body && pieces.length < 3; at += 1 + random.below(body))
      pieces.push(at)
  }
  const steps = Array.from({ length: 1 + random.below(8) }, () => makeStep(random))
  return {
    ask: { method, body, chunked: body > 0 && random.once(3), pieces, leaves: random.once(25) },
    steps,
  }
}

/** @returns {Step} */
function makeStep(random) {
  const when = random.pick(MOMENTS)
  let at = random.below(TOTAL)
  for (const [weight, call, args] of CALLS) {
    at -= weight
    if (at < 0) return args === undefined ? { when, call } : { when, call, args: args(random) }
  }
  throw new Error('unreachable')
}
