import { createServer } from 'node:http'
import hapi from '@hapi/hapi'
import connect from 'connect'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { describe, expect, test } from 'vitest'
import { makeNestApp } from '../testing/nest-app.ts'
import { findApp } from './find-app.ts'

const FILE = './app.js'
const fetchHandler = () => new Response('hello')

const LISTENER = ['listener', 'a request listener'] as const

function middleware(a: unknown, b: unknown, c: unknown) {
  return [a, b, c]
}

// Made from a string, because the formatter would add parentheses around the parameter.
const WITHOUT_PARENTHESES: unknown = new Function("return request => new Response('x', request, res)")()

describe('findApp() recognizes', () => {
  test.each<[string, unknown, string, string]>([
    ['an Express app', express(), 'listener', 'an Express app'],
    ['a connect app', connect(), 'listener', 'a connect app'],
    ['a Koa app', new Koa(), 'listener', 'a Koa app'],
    ['a Fastify app', fastify(), 'listener', 'a Fastify app'],
    ['a NestJS app', makeNestApp(), 'listener', 'a NestJS app'],
    ['a hapi server', hapi.server(), 'listener', 'a hapi server'],
    ['an http.Server', createServer(), 'listener', 'an http.Server'],
    ['a Hono app', new Hono(), 'fetch', 'an app with a fetch method'],
    ['{ fetch }', { fetch: fetchHandler }, 'fetch', 'an app with a fetch method'],
    ['{ authorize }', { authorize: fetchHandler }, 'fetch', 'an authorizer'],
    ['(req, res)', (_req: unknown, res: { end(): void }) => res.end(), 'listener', 'a request listener'],
    [
      'function (request, response)',
      function app(_request: unknown, response: { end(): void }) {
        response.end()
      },
      'listener',
      'a request listener',
    ],
    [
      '(req, res, next)',
      (_req: unknown, res: unknown, _next: unknown) => res,
      'listener',
      'a request listener',
    ],
    ['(incoming, outgoing)', (incoming: unknown, outgoing: unknown) => [incoming, outgoing], ...LISTENER],
    ['(nodeReq, nodeRes)', (nodeReq: unknown, nodeRes: unknown) => [nodeReq, nodeRes], ...LISTENER],
    ['(req, httpResponse)', (req: unknown, httpResponse: unknown) => [req, httpResponse], ...LISTENER],
    ['(nodeReq, r)', (nodeReq: unknown, r: unknown) => [nodeReq, r], ...LISTENER],
    ['function middleware (a, b, c)', middleware, ...LISTENER],
    ['a bound middleware', middleware.bind(undefined), ...LISTENER],
    [
      '({ method, url })',
      ({ method, url }: Request) => new Response(method + url),
      'fetch',
      'a fetch handler',
    ],
    ['(request) without parentheses', WITHOUT_PARENTHESES, 'fetch', 'a fetch handler'],
    ['(request)', (request: Request) => new Response(request.url), 'fetch', 'a fetch handler'],
    [
      '(request, context)',
      (_: Request, context: object) => Response.json(context),
      'fetch',
      'a fetch handler',
    ],
    [
      '(request, { remoteAddress })',
      (_: Request, { remoteAddress }: { remoteAddress: string }) => new Response(remoteAddress),
      'fetch',
      'a fetch handler',
    ],
    ['async (request)', async (request: Request) => new Response(request.url), 'fetch', 'a fetch handler'],
  ])('%s', async (_, value, kind, what) => {
    const expected = { kind, what }
    expect(await findApp({ default: value }, FILE)).toMatchObject(expected)
    expect(await findApp({ default: Promise.resolve(value) }, FILE)).toMatchObject(expected)
    // The form in which TypeScript compiles a default export to CommonJS.
    expect(await findApp({ default: { __esModule: true, default: value } }, FILE)).toMatchObject(expected)
  })

  test('named exports with the usual names', async () => {
    expect(await findApp({ fetch: fetchHandler }, FILE)).toMatchObject({ kind: 'fetch' })
    expect(await findApp({ app: express() }, FILE)).toMatchObject({ what: 'an Express app' })
    expect(await findApp({ default: { app: express() }, app: express() }, FILE)).toMatchObject({
      what: 'an Express app',
    })
    expect(await findApp({ handler: (req: unknown, res: unknown) => [req, res] }, FILE)).toMatchObject({
      kind: 'listener',
    })
  })

  test.each(['listener', 'middleware', 'server'])('a named export %s', async (name) => {
    expect(await findApp({ [name]: middleware }, FILE)).toMatchObject({ kind: 'listener' })
  })

  test('a promise of a function that is exported as fetch', async () => {
    const app = await findApp({ fetch: Promise.resolve(fetchHandler) }, FILE)
    expect(app).toMatchObject({ kind: 'fetch', fetch: expect.any(Function) })
  })

  test('an authorizer in addition to the app', async () => {
    const app = await findApp({ default: { fetch: fetchHandler }, authorize: fetchHandler }, FILE)
    expect(app).toMatchObject({ kind: 'fetch', fetch: expect.any(Function), authorize: expect.any(Function) })
  })

  test('an object whose fetch method uses this', async () => {
    class App {
      #text = 'hello'
      fetch() {
        return new Response(this.#text)
      }
    }
    const app = await findApp({ default: new App() }, FILE)
    if (app.kind !== 'fetch') throw new Error('no fetch app')
    const response = await app.fetch!({} as never, {} as never, {} as never)
    expect(await response.text()).toBe('hello')
  })

  test('the export and the kind that the options give', async () => {
    const unclear = (a: unknown, b: unknown) => [a, b]
    expect(await findApp({ shop: unclear }, FILE, { export: 'shop', as: 'listener' })).toMatchObject({
      kind: 'listener',
    })
    expect(
      await findApp({ default: { shop: unclear } }, FILE, { export: 'shop', as: 'fetch' }),
    ).toMatchObject({ kind: 'fetch' })
  })
})

describe('the error says what the module exports, and what to write', () => {
  const message = (namespace: Record<string, unknown>, options = {}) =>
    findApp(namespace, FILE, options).then(
      () => 'found',
      (error: Error) => error.message,
    )

  test('a module without exports', async () => {
    expect(await message({})).toMatch(/^\.\/app\.js exports nothing[\s\S]*export default app/)
    // A CommonJS module.
    expect(await message({ default: {}, 'module.exports': {} })).toContain('exports nothing')
  })

  test('exports that are not apps', async () => {
    expect(await message({ PORT: 1, start: () => {} })).toContain("exports 'PORT', 'start'")
    expect(await message({ default: { routes: [] } })).toContain('it is an object with routes')
    expect(await message({ default: 7 })).toContain('it is 7')
    expect(await message({ fetch: 7 })).toContain("'fetch' of ./app.js is not an app: it is 7.")
  })

  test('an export that is only a property of module.exports', async () => {
    expect(await message({ default: { shop: { routes: [] } } }, { export: 'shop' })).toContain(
      "'shop' of ./app.js is not an app: it is an object with routes.",
    )
    expect(await message({ default: { app: 7 } })).toContain("'app' of ./app.js is not an app: it is 7.")
  })

  test('a promise of a value that is not an app', async () => {
    const promise = Promise.resolve({ routes: [] })
    expect(await message({ default: promise })).toContain('it is an object with routes.')
    expect(await message({ shop: promise }, { export: 'shop' })).toContain('it is an object with routes.')
  })

  test('a default export that was compiled to CommonJS', async () => {
    expect(await message({ default: { __esModule: true, default: 7 } })).toContain('it is 7.')
  })

  test('a function whose parameters do not show how to call it', async () => {
    expect(await message({ default: (a: unknown, b: unknown) => [a, b] })).toContain('use --as listener')
    expect(await message({ default: () => {} })).toContain('--as fetch')
  })

  test.each<[string, unknown, string]>([
    ['createApp()', () => function createApp() {}, 'export default await createApp()'],
    [
      'makeServer(config)',
      () => async function makeServer(_config: unknown) {},
      'export default await makeServer()',
    ],
    ['(options) => …', () => (options: unknown) => options, 'export default await createApp()'],
    [
      'a Fastify plugin',
      () => async (fastify: unknown, opts: unknown) => [fastify, opts],
      'await createApp()',
    ],
    [
      'a class',
      () => class Shop {},
      'exports a class, not an app. Export the app itself: export default new Shop()',
    ],
  ])('a factory: %s', async (_, make, advice) => {
    expect(await message({ default: (make as () => unknown)() })).toContain(advice)
    expect(await message({ app: (make as () => unknown)() })).toContain(
      advice.replace('export default', 'export const app ='),
    )
  })

  test('a missing export', async () => {
    expect(await message({ app: 1, other: 2 }, { export: 'shop' })).toBe(
      "./app.js has no export 'shop'. It exports 'app', 'other'.",
    )
  })

  test('an HTTP server that listens', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    expect(await message({ default: server })).toContain('already listens')
    server.close()
  })
})
