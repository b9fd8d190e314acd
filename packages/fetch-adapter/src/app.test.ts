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
    ['one that needs its this', new App()],
    ['a module whose default is an object with fetch', { default: { fetch: hello } }],
    ['a module whose default is such an app', { default: new App() }],
    ['a module whose default is a function', { default: hello }],
    ['a module with an export called fetch', { fetch: hello, [Symbol.toStringTag]: 'Module' }],
    ['default goes before fetch', { default: { fetch: hello }, fetch: other }],
    [
      'a CommonJS module that was compiled from a default export',
      { default: { __esModule: true, default: { fetch: hello } } },
    ],
    ['a function that has a fetch', Object.assign(() => new Response('no'), { fetch: hello })],
  ])('%s', async (_what, app) => {
    expect(await answerOf(app)).toBe('hello')
  })

  test('of real modules', async () => {
    expect(await answerOf(await import('./testing/default-app.ts'))).toBe('default app')
    expect(await answerOf(await import('./testing/named-app.ts'))).toBe('named app')
  })

  test.each<[what: string, app: unknown, named: string]>([
    ['undefined', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a string', './app.js', './app.js'],
    ['an object without fetch', { handler: hello, port: 1 }, 'an object with handler, port'],
    ['an empty module', { default: {} }, 'an object with default'],
    ['fetch that is no function', { fetch: 'hello' }, 'an object with fetch'],
  ])('none in %s: says what would be one', (_what, app, named) => {
    expect(() => resolveApp(app)).toThrow(TypeError)
    expect(() => resolveApp(app)).toThrow(`serve() found no fetch handler in ${named}. Give it a function`)
  })
})

describe('an app of node:http is refused when it is given, and the error names its adapter', () => {
  test.each<[what: string, app: unknown]>([
    ['an Express app', express()],
    ['an Express router', express.Router()],
    ['a Connect app', connect()],
    ['a Koa app', new Koa()],
    ['a Fastify app', fastify()],
    ['an http.Server', createServer()],
  ])('%s', (what, app) => {
    const message = `This is ${what}, which answers (req, res), not a fetch handler. Serve it with @fcgi-bridge/express-adapter`
    for (const given of [app, { default: app }, { fetch: app }, { default: { fetch: app } }]) {
      expect(() => resolveApp(given)).toThrow(message)
      expect(() => resolveApp(given)).toThrow(TypeError)
    }
    expect(() => toHandler(app as FetchHandler)).toThrow(message)
  })

  test('but not one that has fetch', async () => {
    const app = Object.assign(express(), { fetch: hello })
    expect(await answerOf(app)).toBe('hello')
  })
})

test('toHandler refuses what is no function, and options that it does not have', () => {
  expect(() => toHandler({ fetch: hello } as never)).toThrow('give it app.fetch')
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

  test('comes beside fetch, from the module, or as an option; the option goes first', () => {
    expect(decide({ fetch: hello, authorize: yes })).toBe(true)
    expect(decide({ default: { fetch: hello, authorize: yes } })).toBe(true)
    expect(decide({ default: { fetch: hello }, authorize: yes })).toBe(true)
    expect(decide({ fetch: hello, authorize: yes }, no)).toBe(false)
    expect(decide(hello, yes)).toBe(true)
  })

  test('may be all there is', () => {
    expect(resolveApp({ authorize: yes }).fetch).toBeUndefined()
    expect(decide({ authorize: yes })).toBe(true)
  })
})

describe('options', () => {
  test('are those of a plain object, and the second argument before them', () => {
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

  test("not an app's own properties, nor what a module says for another runtime", () => {
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
