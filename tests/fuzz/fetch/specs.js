// The building blocks of scripts: names of values, and how to create each value. A script is plain data, so that it can
// be reduced and printed. Both sides create the same values from it.

/** @typedef {{ log: string[], pool: unknown[] }} Scene `log` gets what accessors and conversions of values were called */

const text = new TextEncoder()

function noted(scene, name, value) {
  return {
    toString() {
      scene.log.push(name)
      return value
    },
    valueOf() {
      scene.log.push(name)
      return value
    },
  }
}

function detached() {
  const bytes = text.encode('detached')
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
  return bytes
}

function resizable(tracks) {
  const buffer = Reflect.construct(ArrayBuffer, [8, { maxByteLength: 16 }])
  const bytes = tracks ? new Uint8Array(buffer) : new Uint8Array(buffer, 1, 4)
  return bytes.fill(65)
}

/** @type {Record<string, (scene: Scene) => unknown>} */
export const BODIES = {
  undefined: () => undefined,
  null: () => null,
  text: () => 'text',
  'no text': () => '',
  'text beyond ASCII': () => 'täxt €',
  'a lone surrogate': () => 'a\ud800b',
  'a byte order mark': () => '\ufeff{"a":1}',
  'JSON text': () => '{"a":[1]}',
  'form text': () => 'a=1&b=ü',
  bytes: () => text.encode('bytes'),
  'no bytes': () => new Uint8Array(),
  'a window': () => text.encode('windows').subarray(1, 4),
  'a Buffer': () => Buffer.from('buffer'),
  'bytes that are no UTF-8': () => Uint8Array.of(0xff, 0x41, 0xe2),
  'many bytes': () => new Uint8Array(20_000).fill(66),
  'detached bytes': detached,
  'a window of a resizable buffer': () => resizable(false),
  'all of a resizable buffer': () => resizable(true),
  'shared bytes': () => new Uint8Array(new SharedArrayBuffer(4)),
  'an ArrayBuffer': () => text.encode('array').buffer,
  'a DataView': () => new DataView(text.encode('view').buffer),
  'a Uint16Array': () => Uint16Array.of(0x4141, 0x4242),
  'a number': () => 7,
  true: () => true,
  'a symbol': () => Symbol('body'),
  'an object': (scene) => noted(scene, 'body to string', 'object'),
  'an array': () => ['a', 'b'],
  'a URLSearchParams': () => new URLSearchParams({ a: '1', b: 'ü' }),
  'a Blob': () => new Blob(['blob'], { type: 'a/b' }),
  'a stream': () => new Blob(['stream']).stream(),
}

/** @type {Record<string, (scene: Scene) => unknown>} */
const STATUS = {
  undefined: () => undefined,
  200: () => 200,
  201: () => 201,
  204: () => 204,
  205: () => 205,
  304: () => 304,
  404: () => 404,
  599: () => 599,
  199: () => 199,
  600: () => 600,
  101: () => 101,
  "'202'": () => '202',
  201.5: () => 201.5,
  NaN: () => Number.NaN,
  65737: () => 65_737,
  null: () => null,
  object: (scene) => noted(scene, 'status to number', 203),
  symbol: () => Symbol('status'),
  bigint: () => 200n,
}

/** @type {Record<string, (scene: Scene) => unknown>} */
const STATUS_TEXTS = {
  undefined: () => undefined,
  empty: () => '',
  plain: () => 'All Right',
  'line break': () => 'a\nb',
  latin1: () => 'ü',
  'beyond latin1': () => '€',
  number: () => 5,
  null: () => null,
  object: (scene) => noted(scene, 'statusText to string', 'Object'),
  symbol: () => Symbol('text'),
}

/** @type {Record<string, (scene: Scene) => unknown>} */
export const HEADERS = {
  undefined: () => undefined,
  null: () => null,
  empty: () => ({}),
  plain: () => ({ 'x-a': '1', 'x-b': '2' }),
  'upper case': () => ({ 'X-A': '1', 'Content-Type': 'a/b' }),
  'a type': () => ({ 'content-type': 'application/json' }),
  'a type of a form': () => ({ 'content-type': 'application/x-www-form-urlencoded' }),
  cookies: () => [
    ['set-cookie', 'a=1'],
    ['set-cookie', 'b=2'],
  ],
  blanks: () => ({ 'x-a': '  1\t' }),
  'blanks inside': () => ({ 'x-a': '1 \t 2' }),
  'no value': () => ({ 'x-a': '' }),
  'two cases': () => ({ 'x-a': '1', 'X-A': '2' }),
  'no name': () => ({ '': '1' }),
  'a wrong name': () => ({ 'a b': '1' }),
  'a name beyond latin1': () => ({ 'x-€': '1' }),
  'an unusual name': () => ({ 'x_a.b!': '1' }),
  'a wrong value': () => ({ 'x-a': '1\n2' }),
  'a NUL': () => ({ 'x-a': '\0' }),
  latin1: () => ({ 'x-a': 'ü' }),
  'a value beyond latin1': () => ({ 'x-a': '€' }),
  'a number': () => ({ 'x-a': 1 }),
  'null as value': () => ({ 'x-a': null }),
  'a symbol as value': () => ({ 'x-a': Symbol('value') }),
  'an object as value': (scene) => ({ 'x-a': noted(scene, 'value to string', 'o'), 'x-b': '2' }),
  'a symbol as name': () => ({ 'x-a': '1', [Symbol('name')]: '2' }),
  accessors: (scene) => ({
    get 'x-a'() {
      scene.log.push('get x-a')
      return '1'
    },
    'x-c': 3,
    get 'x-b'() {
      scene.log.push('get x-b')
      return '2'
    },
  }),
  'accessors and a wrong name': (scene) => ({
    get 'x-a'() {
      scene.log.push('get x-a')
      return '1'
    },
    'x-€': '1',
    get 'x-b'() {
      scene.log.push('get x-b')
      return '2'
    },
  }),
  'accessors in two cases': (scene) => ({
    get 'x-a'() {
      scene.log.push('get x-a')
      return '1'
    },
    get 'X-A'() {
      scene.log.push('get X-A')
      return '2'
    },
  }),
  'an accessor that throws': (scene) => ({
    get 'x-a'() {
      scene.log.push('get x-a')
      throw new RangeError('of the accessor')
    },
  }),
  'not enumerable': () => Object.defineProperty({ 'x-b': '2' }, 'x-a', { value: '1' }),
  inherited: () => Object.create({ 'x-a': '1' }),
  'without prototype': () => Object.assign(Object.create(null), { 'x-a': '1' }),
  pairs: () => [
    ['x-a', '1'],
    ['X-A', '2'],
  ],
  'a pair of one': () => [['x-a']],
  'no pair': () => ['x-a'],
  'a Map': () => new Map([['x-a', '1']]),
  'a Headers': () => new Headers({ 'x-a': '1', 'X-B': '2' }),
  'a class': () => new (class extends Headers {})({ 'x-a': '1' }),
  text: () => 'x-a: 1',
  number: () => 7,
  function: () => () => {},
  iterator: () => ({ 'x-a': '1', [Symbol.iterator]: null }),
}

/** The ways in which an init has its members. */
const HOLDERS = {
  plain: (_scene, members) => members,
  accessors: (scene, members) => {
    const init = {}
    for (const [name, value] of Object.entries(members)) {
      Object.defineProperty(init, name, {
        get() {
          scene.log.push(`get ${name}`)
          return value
        },
        enumerable: true,
      })
    }
    return init
  },
  'without prototype': (_scene, members) => Object.assign(Object.create(null), members),
  inherited: (_scene, members) => Object.create(members),
  class: (_scene, members) => Object.assign(new (class Init {})(), members),
  proxy: (scene, members) =>
    new Proxy(members, {
      get(target, key) {
        scene.log.push(`get ${String(key)}`)
        return target[key]
      },
    }),
}

/** @type {Record<string, (scene: Scene) => unknown>} */
const ODD_INITS = {
  undefined: () => undefined,
  null: () => null,
  number: () => 5,
  text: () => 'init',
  function: () => () => {},
  array: () => [],
  symbol: () => Symbol('init'),
  response: () => new Response('x', { status: 201, headers: { 'x-r': '1' } }),
  headers: () => new Headers({ status: '201' }),
}

/** Names of one init, as data. @param {import('../random.js').Random} random */
export function pickInit(random) {
  if (random.once(4)) return { odd: random.pick(Object.keys(ODD_INITS)) }
  const init = { holder: random.pick(['plain', 'plain', 'plain', ...Object.keys(HOLDERS)]) }
  if (random.once(2)) init.status = random.pick(Object.keys(STATUS))
  if (random.once(4)) init.statusText = random.pick(Object.keys(STATUS_TEXTS))
  if (!random.once(3)) init.headers = random.pick(Object.keys(HEADERS))
  return init
}

/** @param {Scene} scene */
export function makeInit(scene, { odd, holder, status, statusText, headers }) {
  if (odd !== undefined) return ODD_INITS[odd](scene)
  const members = {}
  if (headers !== undefined) members.headers = HEADERS[headers](scene)
  if (status !== undefined) members.status = STATUS[status](scene)
  if (statusText !== undefined) members.statusText = STATUS_TEXTS[statusText](scene)
  return HOLDERS[holder](scene, members)
}

/**
 * The data for Response.json.
 *
 * @type {Record<string, (scene: Scene) => unknown>}
 */
export const DATA = {
  object: () => ({ a: [1, 'ü'] }),
  text: () => 'text',
  null: () => null,
  undefined: () => undefined,
  function: () => () => {},
  symbol: () => Symbol('data'),
  bigint: () => 1n,
  cycle: () => {
    const cycle = []
    cycle.push(cycle)
    return cycle
  },
  toJSON: (scene) => ({
    toJSON() {
      scene.log.push('toJSON')
      return { b: 1 }
    },
  }),
  'toJSON of nothing': (scene) => ({
    toJSON() {
      scene.log.push('toJSON')
    },
  }),
  'toJSON that throws': (scene) => ({
    toJSON() {
      scene.log.push('toJSON')
      throw new RangeError('of toJSON')
    },
  }),
}

/** Arguments of methods. @type {Record<string, (scene: Scene) => unknown>} */
export const ARGUMENTS = {
  undefined: () => undefined,
  null: () => null,
  'x-a': () => 'x-a',
  'X-B': () => 'X-B',
  'content-type': () => 'content-type',
  'set-cookie': () => 'set-cookie',
  cookie: () => 'Cookie',
  'x-two': () => 'x-two',
  'a b': () => 'a b',
  empty: () => '',
  latin1: () => 'ü',
  'beyond latin1': () => '€',
  'line break': () => 'a\nb',
  number: () => 5,
  symbol: () => Symbol('argument'),
  object: (scene) => noted(scene, 'argument to string', 'x-a'),
  function: (scene) =>
    /** @this {unknown} */
    function (...args) {
      scene.log.push(`called with ${args.length}: ${args.slice(0, 2).map(String)}, ${this === undefined}`)
      scene.log.push(`the third is pool[${scene.pool.indexOf(args[2])}]`)
    },
  'a function that throws': () => () => {
    throw new RangeError('of the callback')
  },
}
