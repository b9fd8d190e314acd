import { createServer } from 'node:http'
import connect from 'connect'
import express from 'express'
import fastify from 'fastify'
import Koa from 'koa'
import { describe, expect, test } from 'vitest'
import { resolveApp } from './app.ts'
import { type AuthorizeHandler, type FetchContext, type FetchHandler, toHandler } from './index.ts'

const NOTHING = {} as FetchContext

async function answerOf(app: unknown): Promise<string> {
  const { fetch } = resolveApp(app)
  return await (await fetch!(new Request('http://front.test/'), NOTHING, NOTHING)).text()
}

const hello: FetchHandler = () => new Response('hello')
const other: FetchHandler = () => new Response('other')
const yes: AuthorizeHandler = () => true
const no: AuthorizeHandler = () => false

describe('the fetch handler', () => {
  class App {
    #text = 'hello'
    fetch(): Response {
      return new Response(this.#text)
    }
  }

  test.each<[what: string, app: unknown]>([
    ['a function', hello],
    ['an object with fetch', { fetch: hello }],
    ['an object whose fetch needs its this', new App()],
    ['a module whose default is an object with fetch', { default: { fetch: hello } }],
    ['a module whose default is an object whose fetch needs its this', { default: new App() }],
    ['a module whose default is a function', { default: hello }],
    ['a module with an export called fetch', { fetch: hello, [Symbol.toStringTag]: 'Module' }],
    ['a module whose default takes precedence over its fetch', { default: { fetch: hello }, fetch: other }],
    [
      'a CommonJS module that was compiled from a default export',
      { default: { __esModule: true, default: { fetch: hello } } },
    ],
    ['a function with a fetch method', Object.assign(() => new Response('no'), { fetch: hello })],
  ])('%s', async (_what, app) => {
    expect(await answerOf(app)).toBe('hello')
  })

  test('may pass a value named res to another function', async () => {
    // From text, because compilers put the parameter into parentheses.
    const create = new Function('echo', 'res', 'return request => echo(request, res)')
    const handler = create((_request: Request, response: Response) => response, new Response('hello'))
    expect(await answerOf(handler)).toBe('hello')
  })

  test('in real modules', async () => {
    expect(await answerOf(await import('./testing/default-app.ts'))).toBe('default app')
    expect(await answerOf(await import('./testing/named-app.ts'))).toBe('named app')
  })

  test.each<[what: string, app: unknown, named: string]>([
    ['undefined', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a string', './app.js', './app.js'],
    ['an object without fetch', { handler: hello, port: 1 }, 'an object with handler, port'],
    ['an empty module', { default: {} }, 'an object with default'],
    ['an object whose fetch is not a function', { fetch: 'hello' }, 'an object with fetch'],
  ])('%s has none: the error says what to pass', (_what, app, named) => {
    expect(() => resolveApp(app)).toThrow(TypeError)
    expect(() => resolveApp(app)).toThrow(`serve() found no fetch handler in ${named}. Pass a function`)
  })
})

describe('an app of node:http is refused at once, and the error names its adapter', () => {
  test.each<[what: string, app: unknown]>([
    ['an Express app', express()],
    ['an Express router', express.Router()],
    ['a Connect app', connect()],
    ['a Koa app', new Koa()],
    ['a Fastify app', fastify()],
    ['an http.Server', createServer()],
  ])('%s', (what, app) => {
    const message = `This is ${what}, a (req, res) listener, not a fetch handler. Serve it with @fcgi-bridge/express-adapter`
    for (const given of [app, { default: app }, { fetch: app }, { default: { fetch: app } }]) {
      expect(() => resolveApp(given)).toThrow(message)
      expect(() => resolveApp(given)).toThrow(TypeError)
    }
    expect(() => toHandler(app as FetchHandler)).toThrow(message)
  })

  test.each([
    ['(req, res) => …', (_req: unknown, res: { end(): void }) => res.end()],
    ['an async function', async (_request: unknown, response: { end(): void }) => response.end()],
  ])('%s', (_, app) => {
    expect(() => resolveApp(app)).toThrow(
      'This is a function with a parameter for the response, a (req, res) listener, not a fetch handler. Serve it with @fcgi-bridge/express-adapter',
    )
  })

  test('an Express app with a fetch method is accepted', async () => {
    const app = Object.assign(express(), { fetch: hello })
    expect(await answerOf(app)).toBe('hello')
  })
})

test('toHandler refuses a value that is not a function, and unknown options', () => {
  expect(() => toHandler({ fetch: hello } as never)).toThrow('Pass app.fetch')
  expect(() => toHandler(hello, { overrideGlobalObject: true } as never)).toThrow(
    'toHandler() has no option "overrideGlobalObject"',
  )
  expect(() => toHandler(hello, { overrideGlobalObjects: 'yes' } as never)).toThrow(TypeError)
})

describe('the authorize handler', () => {
  const decide = (app: unknown, authorize?: AuthorizeHandler): unknown =>
    resolveApp(app, authorize && { authorize }).authorize!(
      new Request('http://front.test/'),
      NOTHING,
      NOTHING,
    )

  test('is a member of the app or of the module, or an option, which takes precedence', () => {
    expect(decide({ fetch: hello, authorize: yes })).toBe(true)
    expect(decide({ default: { fetch: hello, authorize: yes } })).toBe(true)
    expect(decide({ default: { fetch: hello }, authorize: yes })).toBe(true)
    expect(decide({ fetch: hello, authorize: yes }, no)).toBe(false)
    expect(decide(hello, yes)).toBe(true)
  })

  test('can be the only handler', () => {
    expect(resolveApp({ authorize: yes }).fetch).toBeUndefined()
    expect(decide({ authorize: yes })).toBe(true)
  })
})

describe('options', () => {
  test('come from a plain object and from the second argument, which takes precedence', () => {
    expect(resolveApp({ fetch: hello, authorize: yes, port: 9000, host: '::1' }).options).toEqual({
      port: 9000,
      host: '::1',
    })
    expect(resolveApp({ fetch: hello, port: 9000, host: '::1' }, { port: 9001 }).options).toEqual({
      port: 9001,
      host: '::1',
    })
    expect(resolveApp(hello, { port: 9001, authorize: yes }).options).toEqual({ port: 9001 })
  })

  test("do not come from a class instance or from a module's default export", () => {
    class App {
      port = 3000
      fetch = hello
      mount(): void {}
    }
    expect(resolveApp(new App(), { path: '/run/app.sock' }).options).toEqual({ path: '/run/app.sock' })
    expect(resolveApp({ default: { fetch: hello, port: 3000 } }, { port: 9000 }).options).toEqual({
      port: 9000,
    })
  })
})
