import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import hapi from '@hapi/hapi'
import { Body, Controller, Get, HttpException, Module, Post } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import connect from 'connect'
import express from 'express'
import Fastify from 'fastify'
import Koa from 'koa'
import { describe, expect, test } from 'vitest'
import { type FrameworkApp, type RequestListener, recognizeFramework, serve, toHandler } from '../index.ts'
import { createFastCgiClient } from '../testing/fastcgi-client.ts'
import { serveForTest } from '../testing/served.ts'

function makeKoa(): Koa {
  const koa = new Koa()
  koa.use((context) => {
    context.body = `koa ${context.url}`
  })
  return koa
}

function makeFastify(): ReturnType<typeof Fastify> {
  const fastify = Fastify()
  fastify.get('/*', async ({ url }) => `fastify ${url}`)
  return fastify
}

async function makeNest(): Promise<FrameworkApp> {
  class Routes {
    index(): string {
      return 'nest /'
    }
    echo(body: unknown): unknown {
      return body
    }
    fail(): never {
      throw new HttpException('no tea', 418)
    }
  }
  class App {}
  // Decorators as function calls: Node cannot strip the decorator syntax.
  const method = (name: keyof Routes): TypedPropertyDescriptor<unknown> =>
    Object.getOwnPropertyDescriptor(Routes.prototype, name)!
  Get('/')(Routes.prototype, 'index', method('index'))
  Post('/echo')(Routes.prototype, 'echo', method('echo'))
  Body()(Routes.prototype, 'echo', 0)
  Get('/fail')(Routes.prototype, 'fail', method('fail'))
  Controller()(Routes)
  Module({ controllers: [Routes] })(App)
  return NestFactory.create(App, { logger: false })
}

function makeHapi(): hapi.Server {
  const server = hapi.server()
  server.route({ method: '*', path: '/{rest*}', handler: (request) => `hapi ${request.raw.req.url}` })
  return server
}

const apps: readonly [what: string, make: () => FrameworkApp | Promise<FrameworkApp>, body: string][] = [
  ['a Koa app', makeKoa, 'koa /'],
  ['a Fastify app', makeFastify, 'fastify /'],
  ['a NestJS app', makeNest, 'nest /'],
  ['a hapi server', makeHapi, 'hapi /'],
  [
    'an http.Server',
    () => createHttpServer((request, response) => void response.end(`http ${request.url}`)),
    'http /',
  ],
]

describe.each(apps)('%s', (what, make, expected) => {
  test('is recognized', async () => {
    expect(recognizeFramework(await make())).toMatchObject({ what, listener: expect.any(Function) })
  })

  test('is served by serve', async () => {
    const server = await serve(await make(), { port: 0, host: '127.0.0.1', handleSignals: false })
    const client = createFastCgiClient((server.address() as AddressInfo).port)
    expect((await client.send().response).body.toString()).toBe(expected)
    await server.close()
  })

  test('is served by toHandler, from the first request on', async () => {
    const { client } = await serveForTest(await make())
    const responses = await Promise.all([client.send().response, client.send().response])
    expect(responses.map(({ body }) => body.toString())).toEqual([expected, expected])
  })
})

test('NestJS: a body, an exception, no route', async () => {
  const { client } = await serveForTest(await makeNest())
  const headers = ['Content-Type', 'application/json']
  const echo = await client.send({ method: 'POST', path: '/echo', headers, body: '{"a":1}' }).response
  expect([echo.status, echo.body.toString()]).toEqual([201, '{"a":1}'])
  const fail = await client.send({ path: '/fail' }).response
  expect([fail.status, JSON.parse(fail.body.toString())]).toEqual([
    418,
    { statusCode: 418, message: 'no tea' },
  ])
  expect((await client.send({ path: '/none' }).response).status).toBe(404)
})

test('hapi: a body, a stream, no route', async () => {
  const server = hapi.server()
  server.route({ method: 'POST', path: '/echo', handler: (request) => request.payload as object })
  server.route({
    method: 'GET',
    path: '/stream',
    handler: () => Readable.from(['one ', 'two'], { objectMode: false }),
  })
  const { client } = await serveForTest(server)
  const headers = ['Content-Type', 'application/json']
  const echo = await client.send({ method: 'POST', path: '/echo', headers, body: '{"a":1}' }).response
  expect([echo.status, echo.body.toString()]).toEqual([200, '{"a":1}'])
  expect((await client.send({ path: '/stream' }).response).body.toString()).toBe('one two')
  expect((await client.send({ path: '/none' }).response).status).toBe(404)
})

test.each<[string, unknown]>([
  ['an Express app', express()],
  ['a connect app', connect()],
  ['a function', () => {}],
  ['an object', {}],
  ['null', null],
  ['an app with a fetch method', { fetch: () => new Response() }],
])('%s is not recognized as an app of a framework', (_, app) => {
  expect(recognizeFramework(app)).toBeUndefined()
})

test('an http.Server that already listens is refused', async () => {
  const http = createHttpServer()
  await new Promise<void>((resolve) => {
    http.listen(0, '127.0.0.1', resolve)
  })
  await expect(serve(http, { port: 0, host: '127.0.0.1' })).rejects.toThrow(/Remove the call of listen\(\)/)
  await new Promise((resolve) => {
    http.close(resolve)
  })
})

test('an app that fails to start is not served', async () => {
  const make = (): ReturnType<typeof Fastify> => {
    const fastify = Fastify()
    fastify.register(async () => {
      throw new Error('no database')
    })
    return fastify
  }
  await expect(serve(make(), { port: 0, host: '127.0.0.1' })).rejects.toThrow('no database')
  const { client, errors } = await serveForTest(make())
  expect((await client.send().response).status).toBe(500)
  expect(errors).toMatchObject([{ message: 'no database' }])
})

describe('a fetch handler', () => {
  test.each<[string, unknown]>([
    ['(request) => Response', (_: Request) => new Response('fetched')],
    ['async (request) => Response', async (_: Request) => new Response('fetched')],
    ['() => Response', () => Response.json({})],
    ['(request, env, context) => Response', (_: Request, _env: unknown, _context: unknown) => new Response()],
  ])('gets a 500 and an error that names the other adapter: %s', async (_, handler) => {
    const { client, errors } = await serveForTest(handler as RequestListener)
    expect((await client.send().response).status).toBe(500)
    expect(errors).toMatchObject([{ message: expect.stringContaining('@fcgi-bridge/fetch-adapter') }])
  })

  test.each<[string, RequestListener]>([
    [
      'after it has sent its response',
      async (_, response) => {
        response.end('sent')
        return new Response('ignored')
      },
    ],
    [
      'before it sends its response',
      (_, response) => {
        setImmediate(() => response.end('sent'))
        return new Response('ignored')
      },
    ],
    [
      'but another object',
      (_, response) => {
        setImmediate(() => response.end('sent'))
        return { status: 200 }
      },
    ],
  ])('is not assumed of a listener that returns a Response %s', async (_, listener) => {
    const { client, errors } = await serveForTest(listener)
    expect((await client.send().response).body.toString()).toBe('sent')
    expect(errors).toEqual([])
  })

  test('in an object with a fetch method is refused at once', () => {
    expect(() => serve({ fetch: () => new Response() } as never)).toThrow(/@fcgi-bridge\/fetch-adapter/)
    expect(() => toHandler({ fetch: () => new Response() } as never)).toThrow(/@fcgi-bridge\/fetch-adapter/)
  })
})
