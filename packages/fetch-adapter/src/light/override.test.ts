import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { inspect, isDeepStrictEqual } from 'node:util'
import { createServer as createFastCgiServer } from '@fcgi-bridge/core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { toHandler } from '../handler.ts'
import { deferred } from '../testing/deferred.ts'
import { ask, Front, listen } from '../testing/front.ts'
import { NativeHeaders, NativeRequest, NativeResponse } from './native.ts'
import { overrideGlobalObjects } from './override.ts'

// The members that a Request has for h3, Nitro and TanStack Start.
const SERVER_MEMBERS = ['ip', 'runtime', 'waitUntil']

const before = { Request, Response, Headers, fetch }
const shapes = [Request, Response, Headers].map((one) => shapeOf(one))
const shown = [Request, Response, Headers].map((one) => inspect(one))

// `util.inspect` calls the method with its symbol. Without it, a function would not be shown as a class.
function isOfPlatform(key: PropertyKey): boolean {
  return key !== inspect.custom && !SERVER_MEMBERS.includes(String(key))
}

function shapeOf(one: { prototype: object }): unknown {
  const describe = (object: object): unknown =>
    Reflect.ownKeys(object)
      .filter(isOfPlatform)
      .map((key) => {
        const { value, get, ...rest } = Object.getOwnPropertyDescriptor(object, key)!
        const face = (member: unknown): unknown =>
          typeof member === 'function' && key !== 'constructor' ? [member.name, member.length] : typeof member
        return [String(key), face(value), face(get), rest]
      })
  return [describe(one), describe(one.prototype)]
}

// These getters work on native objects only.
const nativeGetters = [
  Object.getOwnPropertyDescriptor(Request.prototype, 'method')!.get!,
  Object.getOwnPropertyDescriptor(Response.prototype, 'status')!.get!,
]

overrideGlobalObjects()

function isLight(value: object): boolean {
  return nativeGetters.every((getter) => {
    try {
      return getter.call(value) === undefined
    } catch {
      return true
    }
  })
}

type ResizableBuffer = new (length: number, options: { maxByteLength: number }) => ArrayBuffer

type Make = (Response: typeof globalThis.Response) => Response

const BYTES = new TextEncoder().encode('bytes')

// How an app creates a Response, and whether it becomes a light object.
const RESPONSES: [string, boolean, Make][] = [
  ['nothing', true, (R) => new R()],
  ['null', true, (R) => new R(null)],
  ['text', true, (R) => new R('täxt €')],
  ['empty text', true, (R) => new R('')],
  ['text with lone surrogates', true, (R) => new R('a\ud800b')],
  ['text with a byte order mark', true, (R) => new R('\ufeffa')],
  ['bytes', true, (R) => new R(BYTES)],
  ['a window of bytes', true, (R) => new R(BYTES.subarray(1, 3))],
  ['JSON text', true, (R) => new R('{"a":1}', { headers: { 'content-type': 'application/json' } })],
  ['a status', true, (R) => new R('x', { status: 404, statusText: 'Not Here' })],
  ['a status without a body', true, (R) => new R(null, { status: 204 })],
  ['headers', true, (R) => new R('x', { headers: { 'X-B': '2', 'X-A': '1', 'Set-Cookie': 'a=1' } })],
  [
    'Headers',
    true,
    (R) =>
      new R('x', {
        headers: new Headers([
          ['X-B', '1'],
          ['x-b', '2'],
          ['Set-Cookie', 'a'],
          ['set-cookie', 'b'],
        ]),
      }),
  ],
  ['Response.json', true, (R) => R.json({ a: [1, 'ü'] })],
  ['Response.json with a type', true, (R) => R.json(1, { status: 201, headers: { 'content-type': 'a/b' } })],
  [
    'pairs of headers',
    false,
    (R) =>
      new R('x', {
        headers: [
          ['a', '1'],
          ['A', '2'],
        ],
      }),
  ],
  ['headers twice in two cases', false, (R) => new R('x', { headers: { a: '1', A: '2' } })],
  ['a header with blanks around its value', false, (R) => new R('x', { headers: { a: '  1\t' } })],
  [
    'a header that is not enumerable',
    true,
    (R) => new R('x', { headers: Object.defineProperty({ b: '2' }, 'a', { value: '1' }) }),
  ],
  ['a number as a header value', false, (R) => new R('x', { headers: { a: 1 as unknown as string } })],
  ['a form', false, (R) => new R(new URLSearchParams({ a: '1' }))],
  ['a Blob', false, (R) => new R(new Blob(['x'], { type: 'a/b' }))],
  ['a stream', false, (R) => new R(new Blob(['x']).stream())],
  ['a number', false, (R) => new R(1 as unknown as string)],
  ['an object with toString', false, (R) => new R({ toString: () => 'x' } as unknown as string)],
  ['a Response as init', false, (R) => new R('x', new R(null, { status: 201, headers: { a: '1' } }))],
  ['null as init', false, (R) => new R('x', null as unknown as ResponseInit)],
  ['a status as text', false, (R) => new R('x', { status: '201' as unknown as number })],
  ['a redirect', false, (R) => R.redirect('http://h/x', 303)],
  ['an error', false, (R) => R.error()],
  ['status 199', false, (R) => new R('x', { status: 199 })],
  ['status 600', false, (R) => new R('x', { status: 600 })],
  ['a body with 204', false, (R) => new R('', { status: 204 })],
  ['a statusText with a line break', false, (R) => new R('x', { statusText: 'a\nb' })],
  ['an invalid header name', false, (R) => new R('x', { headers: { 'a b': '1' } })],
  ['an invalid header value', false, (R) => new R('x', { headers: { a: '1\n2' } })],
  ['a header value beyond latin1', false, (R) => new R('x', { headers: { a: '€' } })],
  ['a symbol as a header name', false, (R) => new R('x', { headers: { [Symbol('a')]: '1' } as never })],
  ['JSON of undefined', false, (R) => R.json(undefined)],
  [
    'JSON of a cycle',
    false,
    (R) => {
      const a: unknown[] = []
      a.push(a)
      return R.json(a)
    },
  ],
]

// Uses of the body of a request or response.
const BODY_USES: [string, (body: Request | Response) => unknown][] = [
  ['read its text twice', async (r) => [await r.text(), await outcome(() => r.text())]],
  ['read its JSON', (r) => r.json()],
  ['read its bytes', async (r) => [...new Uint8Array(await r.arrayBuffer())]],
  [
    'read its Blob',
    async (r) => {
      const b = await r.blob()
      return [b.type, await b.text()]
    },
  ],
  ['read its form', async (r) => [...(await r.formData())]],
]

// Uses of a response.
const USES: [string, (response: Response) => unknown][] = [
  ['read its head', (r) => [r.status, r.statusText, r.ok, r.type, r.url, r.redirected, [...r.headers]]],
  ['read its text', async (r) => [r.bodyUsed, await r.text(), r.bodyUsed, r.body?.locked]],
  ...BODY_USES,
  [
    'clone it',
    async (r) => {
      const c = r.clone()
      return [await c.text(), await r.text(), [...c.headers]]
    },
  ],
  [
    'clone it after its body was used',
    async (r) => {
      await r.text()
      return r.clone().status
    },
  ],
  [
    'read its stream',
    async (r) => {
      const b = r.body
      return [b === r.body, b === null, await r.text(), r.bodyUsed]
    },
  ],
  [
    'lock its stream',
    async (r) => {
      r.body?.getReader()
      return [r.bodyUsed, await outcome(() => r.text())]
    },
  ],
  [
    'change its headers',
    async (r) => {
      const h = r.headers
      h.set('X-New', '1')
      h.append('x-b', '9')
      h.delete('content-type')
      return [
        h === r.headers,
        [...r.headers],
        r.headers.get('X-NEW'),
        r.headers.has('content-type'),
        [...r.clone().headers],
        (await r.blob()).type,
      ]
    },
  ],
  [
    'change its headers after its stream was created',
    async (r) => {
      void r.body
      r.headers.set('content-type', 'q/z')
      return [(await r.clone().blob()).type, [...r.headers]]
    },
  ],
  [
    'get headers',
    (r) => [
      r.headers.get('X-b'),
      r.headers.get('none'),
      r.headers.has('CONTENT-TYPE'),
      r.headers.getSetCookie(),
      [...r.headers.keys()],
    ],
  ],
  ['get a header with an invalid name', (r) => r.headers.get('a b')],
  ['call get without a name', (r) => (r.headers as unknown as { get(): unknown }).get()],
  ['create Headers from its headers', (r) => [...new NativeHeaders(r.headers)]],
  [
    'create another from it',
    async (r) => {
      const o = new Response(r.body, r)
      return [o.status, await o.text(), [...o.headers], r.bodyUsed]
    },
  ],
  ['print it', (r) => inspect(r).split('\n')[0]],
  [
    'check its type',
    (r) => [
      r instanceof Response,
      r instanceof NativeResponse,
      r.constructor === Response,
      Object.getPrototypeOf(r) === Response.prototype,
      String(r),
      r.headers instanceof Headers,
      String(r.headers),
    ],
  ],
  [
    'call through the prototype',
    async (r) => [Response.prototype.clone.call(r).status, await Response.prototype.text.call(r)],
  ],
  ['list its keys', (r) => [Object.keys(r), JSON.stringify(r)]],
  ['call structuredClone', (r) => Object.keys(structuredClone(r))],
]

/** Returns whether a property returns the same object each time. */
function isKept(read: () => unknown): boolean {
  const first = read()
  return first === read()
}

async function outcome(run: () => unknown): Promise<unknown> {
  try {
    return { value: await run() }
  } catch (error) {
    const { name, message } = error as Error
    return { name, message }
  }
}

describe.each(RESPONSES)('a Response of %s', (_, light, make) => {
  test(light ? 'is a light object' : 'is a native object, or throws', () => {
    let response: Response | undefined
    try {
      response = make(Response)
    } catch {}
    expect(response !== undefined && isLight(response)).toBe(light)
  })

  test.each(USES)('has the same result as a native one: %s', async (_, use) => {
    const ours = await outcome(() => use(make(Response)))
    const theirs = await outcome(() => use(make(NativeResponse)))
    expect(ours).toEqual(theirs)
  })
})

test('a class that extends Response works as before', async () => {
  class Page extends Response {
    constructor(text: string) {
      super(text, { headers: { 'x-page': '1' } })
    }
  }
  const page = new Page('x')
  expect([
    page instanceof Page,
    page instanceof Response,
    page.headers.get('x-page'),
    await page.text(),
  ]).toEqual([true, true, '1', 'x'])
})

test('a Response copies its bytes and headers', async () => {
  const bytes = Uint8Array.of(65, 66)
  const headers = { 'x-a': '1' }
  const response = new Response(bytes, { headers })
  bytes.fill(0)
  headers['x-a'] = '2'
  expect([response.headers.get('x-a'), await response.text()]).toEqual(['1', 'AB'])
})

test('large bodies are sent unchanged, while other clients read slowly and other bodies are sent', async () => {
  const lengths = [20_000, 64 * 1024, 256 * 1024, 256 * 1024 - 1, 1024 * 1024, 1024 * 1024 + 1]
  // All bodies use the same memory, as an app may do.
  const scratch = new Uint8Array(1024 * 1024 + 1)
  const made: Response[] = []
  const slowMade = deferred()
  const slowCount = 6
  const server = createFastCgiServer(
    toHandler(({ url }) => {
      const [length, letter] = new URL(url).pathname.slice(1).split('-') as [string, string]
      const response = new Response(scratch.subarray(0, Number(length)).fill(letter.charCodeAt(0)))
      if (made.push(response) === slowCount) slowMade.resolve()
      return response
    }),
  )
  // The buffer of a Unix socket is smaller than each of the large bodies.
  const folder = mkdtempSync(join(tmpdir(), 'fcgi-bridge-'))
  await server.listen({ path: join(folder, 'app.sock') })
  onTestFinished(async () => {
    await server.close()
    rmSync(folder, { recursive: true })
  })
  const send = async (front: Front, index: number, length: number): Promise<boolean> => {
    const letter = String.fromCharCode(97 + (index % 26))
    const { text } = await front.request({ target: `/${length}-${letter}` }).response()
    return text === letter.repeat(length)
  }
  const slowFronts = await Promise.all(Array.from({ length: slowCount }, () => Front.connect(server)))
  for (const front of slowFronts) front.pause()
  const slow = slowFronts.map((front, index) => send(front, index, 1024 * 1024))
  await slowMade.promise
  const fast = await Front.connect(server)
  for (let index = 0; index < 60; index++) {
    expect(await send(fast, index, lengths[index % lengths.length]!)).toBe(true)
  }
  for (const front of slowFronts) front.resume()
  expect(await Promise.all(slow)).toEqual(Array(slowCount).fill(true))
  // A body that was sent cannot be read, because its memory may already have another body.
  for (const response of made) {
    expect(response.bodyUsed).toBe(true)
    await expect(response.arrayBuffer()).rejects.toThrow(TypeError)
    expect(() => response.clone()).toThrow(TypeError)
  }
})

test("the platform's classes keep their members and attributes", () => {
  expect([Request, Response, Headers].map((one) => shapeOf(one))).toEqual(shapes)
  expect(Response.prototype).toBe(before.Response.prototype)
  expect(Request.prototype).toBe(before.Request.prototype)
  expect(Headers).toBe(before.Headers)
  expect([Request, Response, Headers].map((one) => inspect(one))).toEqual(shown)
  class Page extends Response {}
  expect(inspect(Page)).toBe('[class Page extends Response]')
  expect([fetch.name, fetch.length]).toEqual([before.fetch.name, before.fetch.length])
  expect(Headers.prototype[Symbol.iterator]).toBe(Headers.prototype.entries)
  expect(() => (Response as unknown as () => void)()).toThrow(TypeError)
  expect(() => (Request as unknown as () => void)()).toThrow(TypeError)
  expect(() => Response.prototype.status).toThrow(TypeError)
})

// ---- requests ----

const REQUEST_USES: [string, (request: Request) => unknown][] = [
  [
    'read its head',
    (r) => [
      r.method,
      r.url,
      [...r.headers],
      r.destination,
      r.referrer,
      r.mode,
      r.credentials,
      r.cache,
      r.redirect,
      r.integrity,
      r.keepalive,
      (r as unknown as { duplex: string }).duplex,
    ],
  ],
  [
    'get headers',
    (r) => [
      r.headers.get('Host'),
      r.headers.get('COOKIE'),
      r.headers.get('x-two'),
      r.headers.get('none'),
      r.headers.has('accept'),
      isKept(() => r.headers),
    ],
  ],
  [
    'change its headers',
    async (r) => {
      r.headers.set('x-new', '1')
      r.headers.delete('cookie')
      return [[...r.headers], [...r.clone().headers], [...new Request(r).headers]]
    },
  ],
  ['get its signal', (r) => [isKept(() => r.signal), r.signal instanceof AbortSignal, r.signal.aborted]],
  ['read its text', async (r) => [r.bodyUsed, await r.text(), r.bodyUsed]],
  ...BODY_USES,
  ['get its stream', async (r) => [isKept(() => r.body), r.body === null, await r.text()]],
  [
    'get its stream after its body was used',
    async (r) => {
      await r.text()
      return [r.body === null, r.body?.locked, await outcome(() => r.clone().url), [...r.headers].length > 0]
    },
  ],
  [
    'clone it',
    async (r) => {
      const c = r.clone()
      return [await c.text(), await r.text(), c.url]
    },
  ],
  [
    'create another from it',
    async (r) => {
      const o = new Request(r, { headers: { a: '1' } })
      return [await o.text(), o.url, [...o.headers], r.bodyUsed]
    },
  ],
  [
    'create another from it after its body was used',
    async (r) => {
      await r.text()
      return new Request(r).url
    },
  ],
  ['create Headers from its headers', (r) => [...new NativeHeaders(r.headers)]],
  ['create a Response from its stream', async (r) => [await new Response(r.body).text(), r.bodyUsed]],
  ['create a Response with its headers', (r) => [...new Response('x', { headers: r.headers }).headers]],
  [
    'check its type',
    (r) => [
      r instanceof Request,
      r instanceof NativeRequest,
      r.constructor === Request,
      Object.getPrototypeOf(r) === Request.prototype,
      String(r),
    ],
  ],
  [
    'call through the prototype',
    async (r) => [Request.prototype.clone.call(r).url, await Request.prototype.text.call(r)],
  ],
  ['call structuredClone', (r) => Object.keys(structuredClone(r))],
]

const REQUESTS: [string, Parameters<typeof ask>[1]][] = [
  ['a GET', { params: { HTTP_COOKIE: 'a=1', HTTP_X_TWO: ' 1 ' } }],
  ['a HEAD', { params: { REQUEST_METHOD: 'HEAD' } }],
  ['a method in lower case', { params: { REQUEST_METHOD: 'post' }, body: 'x' }],
  ['a method that is not normalized', { params: { REQUEST_METHOD: 'patch' }, body: 'x' }],
  [
    'a POST of JSON',
    { params: { REQUEST_METHOD: 'POST', CONTENT_TYPE: 'application/json' }, body: '{"a":"ü"}' },
  ],
  [
    'a POST of a form',
    {
      params: { REQUEST_METHOD: 'POST', CONTENT_TYPE: 'application/x-www-form-urlencoded' },
      body: 'a=1&b=2',
    },
  ],
  [
    'a POST of bytes that are not UTF-8',
    { params: { REQUEST_METHOD: 'POST' }, body: Buffer.from([0xff, 0x41, 0xe2, 0x82]) },
  ],
  ['a POST with a byte order mark', { params: { REQUEST_METHOD: 'POST' }, body: '\ufeff{}' }],
  ['a POST without a body', { params: { REQUEST_METHOD: 'POST', CONTENT_LENGTH: '0' } }],
  ...[
    '/a/../b',
    '/%2e%2e/x',
    '//evil/a',
    '/a?b#c',
    '/"<>{}|^`',
    "/a'b?c'd",
    '/ü',
    '/%zz',
    '/a\\b',
    '*',
    '/a?',
    '/a/.b',
    '/x?/../y',
  ].map((target): [string, Parameters<typeof ask>[1]] => [
    `the target ${target}`,
    { params: { REQUEST_URI: target } },
  ]),
  ...[
    'EXAMPLE.com',
    'example.com:80',
    'example.com:0080',
    '[::1]:8080',
    '1.2.3.4',
    'xn--bcher-kva.example',
    'a.b:',
  ].map((host): [string, Parameters<typeof ask>[1]] => [`the host ${host}`, { params: { HTTP_HOST: host } }]),
  ['HTTPS on its default port', { params: { HTTPS: 'on', HTTP_HOST: 'h:443' } }],
]

describe.each(REQUESTS)('a Request of %s', (_, init) => {
  test.each(REQUEST_USES)('has the same result as a native one: %s', async (_, use) => {
    const outcomes: unknown[] = []
    for (const overrideGlobalObjects of [true, false]) {
      const handler = toHandler(
        async (request) => {
          expect(isLight(request)).toBe(overrideGlobalObjects)
          // A native Request has these as properties of its own.
          for (const name of SERVER_MEMBERS) delete (request as unknown as Record<string, unknown>)[name]
          outcomes.push(await outcome(() => use(request)))
          return new Response('x')
        },
        { overrideGlobalObjects },
      )
      await ask(await listen(handler), init)
    }
    expect(outcomes[0]).toEqual(outcomes[1])
  })
})

test('fetch accepts a light Request, and sends it', async () => {
  const received: unknown[] = []
  const upstream = createServer(async (request, response) => {
    received.push(request.method, request.url, request.headers['x-two'], await text(request))
    response.end('from upstream')
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void upstream.close())
  await once(upstream, 'listening')
  const { port } = upstream.address() as AddressInfo
  const handler = toHandler(
    async (request) => {
      expect(isLight(request)).toBe(true)
      const response = await fetch(request)
      return new Response(response.body, response)
    },
    { overrideGlobalObjects: true },
  )
  const params = { REQUEST_METHOD: 'POST', HTTP_HOST: `127.0.0.1:${port}`, HTTP_X_TWO: '2' }
  const response = await ask(await listen(handler), { target: '/a?b', params, body: 'body' })
  expect(received).toEqual(['POST', '/a?b', '2', 'body'])
  expect(response.text).toBe('from upstream')
})

// Web IDL requires this. (On Node 20, one or two members accept native objects of another class.)
test('members of a class throw for light objects of another class', async () => {
  let request: Request | undefined
  const handler = toHandler(
    (one) => {
      request = one
      return new Response('x')
    },
    { overrideGlobalObjects: true },
  )
  await ask(await listen(handler))
  const response = new Response('x')
  const light = { Request: request!, Response: response, Headers: response.headers }
  const names = Object.keys(light) as (keyof typeof light)[]
  for (const name of names) {
    const { prototype } = globalThis[name]
    for (const [key, { get, value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      const member: ((...args: string[]) => unknown) | undefined =
        key === 'constructor' ? undefined : (get ?? value)
      if (typeof member !== 'function') continue
      for (const other of names.filter((one) => one !== name)) {
        const what = `${key} of ${name} on ${other}`
        const { name: error } = (await outcome(() => member.call(light[other], 'a', 'b'))) as {
          name?: string
        }
        expect([what, error]).toEqual([what, 'TypeError'])
      }
    }
  }
})

// The same holds for native objects since undici 7. undici 6 (Node 20 and 22) keeps their state in symbol properties.
test('a light object has no properties for a copy, a comparison or Object.create', async () => {
  let request: Request | undefined
  const handler = toHandler(
    (one) => {
      request = one
      return new Response('x')
    },
    { overrideGlobalObjects: true },
  )
  await ask(await listen(handler))
  const response = new Response('text', { status: 201, headers: { 'x-b': '2' } })
  for (const object of [request!, request!.headers, response, response.headers, Response.json(1)]) {
    expect(Reflect.ownKeys(object)).toEqual([])
    expect(Object.assign({}, object)).toEqual({})
    expect(isDeepStrictEqual({ ...object }, {})).toBe(true)
  }
  expect([...new Response('x', { headers: { ...response.headers, 'x-a': '1' } }).headers.keys()]).toEqual([
    'content-type',
    'x-a',
  ])
  expect(() => Object.create(response).status).toThrow(TypeError)
  expect(() => Object.create(response.headers).get('x-b')).toThrow(TypeError)
})

test('the members for frameworks are not of the Request itself until they are read or assigned', async () => {
  type Members = { ip?: unknown; runtime?: { name: string }; waitUntil?: unknown }
  const withRequest = async (use: (request: Request & Members) => unknown): Promise<unknown> => {
    let result: unknown
    const handler = toHandler(
      (request) => {
        result = use(request as Request & Members)
        return new Response('x')
      },
      { overrideGlobalObjects: true },
    )
    await ask(await listen(handler))
    return result
  }
  expect(
    await withRequest((r) => [r.ip, r.runtime!.name, typeof r.waitUntil, Object.keys(r).toSorted()]),
  ).toEqual(['192.0.2.7', 'fastcgi', 'function', SERVER_MEMBERS])
  expect(await withRequest((r) => [isKept(() => r.runtime), isKept(() => r.waitUntil)])).toEqual([true, true])
  expect(await withRequest((r) => [Object.assign(r, { ip: '::1' }).ip, { ...r }])).toEqual([
    '::1',
    { ip: '::1' },
  ])
  const other = new Request('http://a.test/') as Request & Members
  expect([other.ip, other.runtime, other.waitUntil, Object.keys(other)]).toEqual([
    undefined,
    undefined,
    undefined,
    [],
  ])
  other.ip = '::1'
  expect(other.ip).toBe('::1')
})

test('methods that return a promise reject for a wrong receiver, as native ones do', async () => {
  for (const key of ['text', 'json', 'arrayBuffer', 'blob', 'formData'] as const) {
    for (const { prototype } of [Request, Response]) {
      for (const receiver of [null, undefined, 1, {}, prototype]) {
        const promise = (prototype[key] as () => Promise<unknown>).call(receiver as never)
        await expect(promise, key).rejects.toThrow(TypeError)
      }
    }
  }
})

describe('the same as on a native Response', () => {
  const both = (use: (R: typeof Response, log: unknown[]) => unknown): Promise<unknown[]> =>
    Promise.all(
      [Response, NativeResponse].map(async (one) => {
        const log: unknown[] = []
        return [await outcome(() => use(one, log)), log]
      }),
    )

  test.each<[what: string, use: (R: typeof Response, log: unknown[]) => unknown]>([
    [
      "forEach passes the app's headers object as the third argument",
      (R) => {
        const { headers } = new R('x', { headers: { 'x-a': '1' } })
        const seen: unknown[] = []
        headers.forEach(function (this: unknown, value, name, third) {
          seen.push(value, name, third === headers, this === globalThis)
        })
        headers.forEach(function (this: unknown) {
          seen.push(this)
        }, 7)
        return String(seen)
      },
    ],
    ['forEach without a function', (R) => new R('x').headers.forEach(7 as never)],
    ...(['ok', 'refused'] as const).map((how): [string, (R: typeof Response, log: unknown[]) => unknown] => [
      `getters of init run once, in the same order: ${how}`,
      async (R, log) => {
        const init = {
          get statusText() {
            log.push('statusText')
            return 'a'
          },
          get status() {
            log.push('status')
            return how === 'ok' ? 201 : '202'
          },
          get headers() {
            log.push('headers')
            return {
              get 'x-a'() {
                log.push('x-a')
                return '1'
              },
              'x-b': how === 'ok' ? '2' : 3,
              get 'x-c'() {
                log.push('x-c')
                return '3'
              },
            }
          },
        } as unknown as ResponseInit
        const r = new R('x', init)
        return [r.status, [...r.headers], await R.json(1, init).text()]
      },
    ]),
    [
      'detached bytes',
      (R) => {
        const bytes = new TextEncoder().encode('bytes')
        structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
        return new R(bytes).text()
      },
    ],
    [
      'bytes of a resizable buffer',
      (R) => new R(new Uint8Array(new (ArrayBuffer as ResizableBuffer)(4, { maxByteLength: 8 }))).text(),
    ],
    [
      'Response.json reads init before data, and data once',
      (R, log) =>
        R.json(
          {
            toJSON() {
              log.push('data')
            },
          },
          {
            get status() {
              log.push('status')
              return 200
            },
          } as ResponseInit,
        ),
    ],
    [
      'Response.json with invalid data and init',
      (R) => R.json(1n, { status: 'x' as never, statusText: Symbol('a') as never }),
    ],
    ['no arguments', (R) => (R.json as () => Response)()],
  ])('%s', async (_what, use) => {
    const [ours, theirs] = await both(use)
    expect(ours).toEqual(theirs)
  })

  test('messages have the name of the class', () => {
    const messageOf = (value: object): string => {
      try {
        ;(value as { headers: unknown }).headers = 1
        return ''
      } catch (error) {
        return (error as Error).message.replace('#<_', '#<')
      }
    }
    expect(messageOf(new Response('x'))).toBe(
      'Cannot set property headers of #<Response> which has only a getter',
    )
  })
})

test('without the option a handler gets a native Request', async () => {
  const handler = toHandler((request) => new Response(String(isLight(request))))
  expect((await ask(await listen(handler))).text).toBe('false')
})
