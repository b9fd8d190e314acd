// Scripts of calls on Requests, Responses and Headers. They are created from a seed, and use the global classes.

import { inspect, isDeepStrictEqual } from 'node:util'
import { Random } from '../random.js'
import { ARGUMENTS, BODIES, DATA, HEADERS, makeInit, pickInit } from './specs.js'

const MEMBERS = [
  'status',
  'statusText',
  'ok',
  'headers',
  'headers',
  'body',
  'bodyUsed',
  'type',
  'url',
  'redirected',
  'method',
  'signal',
  'destination',
  'mode',
  'duplex',
  'constructor',
  'nothing',
]
const METHODS = [
  'text',
  'json',
  'arrayBuffer',
  'bytes',
  'blob',
  'formData',
  'clone',
  'get',
  'get',
  'has',
  'set',
  'append',
  'delete',
  'forEach',
  'forEach',
  'getSetCookie',
  'entries',
  'keys',
  'values',
  'getReader',
  'cancel',
  'toString',
]
const CLASSES = ['Request', 'Response', 'Headers']
const RECEIVERS = ['null', 'undefined', 'number', 'text', 'object', 'prototype', 'other']
const LOOKS = [
  'inspect',
  'keys',
  'spread',
  'assign',
  'json',
  'tag',
  'string',
  'heir',
  'instance',
  'equal',
  'data',
  'iterate',
  'has',
]

/** The script of a number, as data. */
export function makeScript(seed, index) {
  const random = new Random(seed, index)
  const step = () => {
    const at = random.below(1000)
    const keyOf = (record) => random.pick(Object.keys(record))
    const args = () => Array.from({ length: random.below(4) }, () => keyOf(ARGUMENTS))
    switch (random.below(14)) {
      case 0:
      case 1:
      case 2:
        return {
          do: 'response',
          body: keyOf(BODIES),
          init: pickInit(random),
          count: random.pick([0, 1, 2, 2, 2, 2, 3]),
        }
      case 3:
        return { do: 'json', data: keyOf(DATA), init: pickInit(random), count: random.pick([0, 1, 2, 2, 2]) }
      case 4:
        return { do: 'headers', headers: keyOf(HEADERS) }
      case 5:
        return { do: 'copy', at, init: pickInit(random), class: random.pick(CLASSES) }
      case 6:
      case 7:
        return { do: 'get', at, name: random.pick(MEMBERS) }
      case 8:
      case 9:
      case 10:
        return { do: 'call', at, name: random.pick(METHODS), args: args(), apart: random.once(4) }
      case 11:
        return {
          do: 'wrong',
          class: random.pick(CLASSES),
          member: random.below(100),
          receiver: random.pick(RECEIVERS),
          at,
        }
      case 12:
        return { do: 'look', at, how: random.pick(LOOKS) }
      default:
        return random.once(2)
          ? { do: 'assign', at, name: random.pick(MEMBERS) }
          : {
              do: 'redirect',
              url: random.pick(['http://h/x', '/x', '']),
              status: random.pick([undefined, 301, 200, '303']),
            }
    }
  }
  return {
    request: {
      method: random.pick(['GET', 'POST', 'POST', 'HEAD', 'put', 'patch', 'DELETE']),
      target: random.pick(['/', '/a?b=%20c', '/a/../b', '//x', '/%zz', '*']),
      body: random.pick(['', 'body', '{"a":1}', 'a=1&b=%20', '\ufeffü']),
      type: random.pick([undefined, 'application/json', 'application/x-www-form-urlencoded', ' text/plain ']),
    },
    steps: Array.from({ length: 1 + random.below(8) }, step),
    responseIndex: random.below(1000),
  }
}

/**
 * Runs a script in a handler. Resolves with the result of each step as text, and with the Response to send.
 *
 * @returns {Promise<{ steps: string[], response: Response }>}
 */
export async function runScript({ steps, responseIndex }, request) {
  const scene = { log: [], pool: [request] }
  const results = []
  for (const step of steps) {
    let result
    try {
      result = await show(scene, await run(scene, step))
    } catch (error) {
      result = showError(error)
    }
    results.push(`${step.do}: ${result} [${scene.log.splice(0)}]`)
  }
  const responses = scene.pool.filter((value) => value instanceof Response)
  return { steps: results, response: responses[responseIndex % responses.length] ?? new Response('none') }
}

function run(scene, step) {
  const target = scene.pool[step.at % scene.pool.length]
  switch (step.do) {
    case 'response': {
      /** @type {any[]} */
      const args = [() => BODIES[step.body](scene), () => makeInit(scene, step.init), () => 'more']
      return Reflect.construct(
        Response,
        args.slice(0, step.count).map((make) => make()),
      )
    }
    case 'json': {
      const args = [() => DATA[step.data](scene), () => makeInit(scene, step.init)]
      return Reflect.apply(
        Response.json,
        Response,
        args.slice(0, step.count).map((make) => make()),
      )
    }
    case 'headers':
      return new Headers(/** @type {any} */ (HEADERS[step.headers](scene)))
    case 'copy':
      if (step.class === 'Headers') {
        // Native objects have properties whose names are symbols: all objects of undici 6, and the signals of later
        // Requests.
        return new Headers(target instanceof Headers ? target : target.headers)
      }
      if (step.class === 'Request') return new Request(target)
      return new Response(target?.body, target)
    case 'redirect':
      return Response.redirect(step.url, step.status)
    case 'get':
      return target[step.name]
    case 'call': {
      const args = step.args.map((name) => ARGUMENTS[name](scene))
      if (!step.apart) return target[step.name](...args)
      const method = target[step.name]
      return [method.name, method.length, Reflect.apply(method, target, args)][2]
    }
    case 'wrong':
      return callWrongly(scene, step, target)
    case 'look':
      return look(target, step.how)
    case 'assign':
      target[step.name] = 'assigned'
      return target[step.name]
  }
}

/** The members that the adapter adds to a Request, for h3 and others. The platform has none of them. */
export const SERVER_MEMBERS = ['ip', 'runtime', 'waitUntil']

function callWrongly(_scene, step, target) {
  const { prototype } = globalThis[step.class]
  const names = Object.getOwnPropertyNames(prototype)
    .filter((name) => name !== 'constructor' && !SERVER_MEMBERS.includes(name))
    .sort()
  const name = names[step.member % names.length]
  const { get, value } = /** @type {PropertyDescriptor} */ (Object.getOwnPropertyDescriptor(prototype, name))
  const receivers = {
    null: null,
    undefined: undefined,
    number: 1,
    text: 'x',
    object: {},
    prototype,
    other: target,
  }
  const receiver = receivers[step.receiver]
  // undici 6 accepts its own objects as receivers for members of other classes.
  if (receiver === target && receiver instanceof globalThis[step.class] === false && OLD) return 'skipped'
  return Reflect.apply(get ?? value, receiver, ['a', 'b'])
}

// undici 6 (Node 20 and 22) stores the state of its objects in properties with symbol names, and identifies objects by
// their prototype.
const OLD = Number.parseInt(process.versions.undici ?? '', 10) < 7

function look(target, how) {
  switch (how) {
    case 'inspect':
      // The order of headers and the case of their names have no meaning. A light object creates its stream later, so
      // the stream of an empty body may not be closed yet.
      return inspect(target)
        .replace(/state: '\w+'/g, 'state')
        .toLowerCase()
        .split(/[\n,{}]/)
        .map((part) => part.trim())
        .sort()
        .join()
    case 'keys':
      return OLD || target instanceof Request
        ? Object.keys(target).join()
        : Reflect.ownKeys(target).map(String).join()
    case 'spread':
      return Object.keys({ ...target }).join()
    case 'assign':
      return Object.keys(Object.assign({}, target)).join()
    case 'json':
      return JSON.stringify(target)
    case 'tag':
      return Object.prototype.toString.call(target)
    case 'string':
      return String(target)
    case 'heir':
      return OLD ? 'skipped' : Object.create(target).headers
    case 'instance':
      return CLASSES.map((name) => [
        target instanceof globalThis[name],
        Object.getPrototypeOf(target) === globalThis[name].prototype,
        target.constructor === globalThis[name],
      ]).join()
    case 'equal':
      // undici 7 stores the controller of a Request's signal in a property with a symbol name.
      return OLD || target instanceof Request
        ? 'skipped'
        : String(isDeepStrictEqual(target, Object.create(Object.getPrototypeOf(target))))
    case 'data':
      return String(Object.keys(structuredClone(target)))
    case 'iterate':
      return String([...target])
    case 'has':
      return MEMBERS.map((name) => name in target).join()
  }
}

/** A value as text. Objects of the three classes are added to the pool, and named by their index in it. */
async function show(scene, value) {
  if (value === null || typeof value !== 'object')
    return typeof value === 'function' ? `function ${value.name}` : `${typeof value} ${String(value)}`
  const { pool } = scene
  const tag = Object.prototype.toString.call(value)
  if (
    ['[object Request]', '[object Response]', '[object Headers]', '[object ReadableStream]'].includes(tag)
  ) {
    if (!pool.includes(value)) pool.push(value)
    return `${tag} pool[${pool.indexOf(value)}]`
  }
  if (tag === '[object ArrayBuffer]' || ArrayBuffer.isView(value)) {
    const bytes = /** @type {Uint8Array} */ (ArrayBuffer.isView(value) ? value : new Uint8Array(value))
    return `${tag} ${bytes.length}: ${Buffer.from(bytes).toString('hex', 0, 50)}`
  }
  if (value instanceof Blob) return `${tag} ${value.type}: ${await value.text()}`
  if (value instanceof FormData) return `${tag} ${[...value].map(String)}`
  if (typeof value.next === 'function') return `${tag} ${[...value].map(String)}`
  return `${tag} ${JSON.stringify(value)}`
}

function showError(error) {
  if (!(error instanceof Error) && !(error instanceof DOMException)) return `throws ${String(error)}`
  // The bundler of Node's fetch renames its classes.
  const { code } = /** @type {NodeJS.ErrnoException} */ (error)
  return `throws ${error.name} ${code}: ${error.message.replace(/#<_/g, '#<')}`
}
