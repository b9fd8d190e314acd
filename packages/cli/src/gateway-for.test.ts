import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Exchange } from '@fcgi-bridge/core'
import hapi from '@hapi/hapi'
import connectApp from 'connect'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import supertest from 'supertest'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { gatewayFor } from './gateway-for.ts'
import { makeNestApp } from './testing/nest-app.ts'

const respond = (exchange: Exchange): void => {
  exchange.writeHead(200, ['content-type', 'text/plain'])
  exchange.end(`hello ${exchange.target}`)
}

describe('gatewayFor() accepts', () => {
  const text = (url: string | undefined): string => `hello ${url}`
  const hono = new Hono().get('/a', (c) => c.text(text(c.req.path)))
  const koa = new Koa().use((context) => {
    context.body = text(context.url)
  })
  const connected = connectApp().use((request, response) => response.end(text(request.url)))
  const fastened = fastify()
  fastened.get('/a', (request) => text(request.url))
  const hapiServer = hapi.server()
  hapiServer.route({ method: 'GET', path: '/a', handler: (request) => text(request.url.pathname) })

  test.each<[string, object]>([
    ['an Express app', express().get('/a', (request, response) => void response.send(text(request.url)))],
    ['a connect app', connected],
    ['a Koa app', koa],
    ['a Fastify app', fastened],
    ['a hapi server', hapiServer],
    ['a Nest app', makeNestApp()],
    ['an http.Server', createServer((request, response) => response.end(text(request.url)))],
    [
      'a listener',
      (request: { url: string }, response: { end(text: string): void }) => response.end(text(request.url)),
    ],
    ['{ fetch }', hono],
    ['a function of a Request', (request: Request) => new Response(text(new URL(request.url).pathname))],
    ["core's handlers", { responder: respond }],
    ['a promise', Promise.resolve(hono)],
    ['a module', import('./testing/module-app.ts')],
  ])('%s', async (_, app) => {
    const gateway = gatewayFor(app)
    // supertest calls listen() and close() for each request.
    for (let i = 0; i < 2; i++) await supertest(gateway).get('/a').expect(200, 'hello /a')
  })

  test('a value that is not an app throws at once', () => {
    expect(() => gatewayFor({})).toThrow(/^gatewayFor\(\) takes an app: an Express/)
    expect(() => gatewayFor(function createApp() {})).toThrow(
      /this function seems to create one. Call it: gatewayFor\(createApp\(\)\)/,
    )
    expect(() => gatewayFor((..._: unknown[]) => {})).toThrow(/Use gatewayFor\(app, \{ as: 'listener' \}\)/)
  })

  test.each<[string, () => object, RegExp]>([
    ['a promise of a value that is not an app', () => Promise.resolve({}), /takes an app/],
    ['a promise that rejects', () => Promise.reject(new Error('no database')), /no database/],
    [
      'a Fastify app that fails',
      () => fastify().register(() => Promise.reject(new Error('no database'))),
      /no database/,
    ],
    ['a server that listens', () => createServer().listen(0).unref(), /already listens/],
  ])('each request gets a 500 with the error: %s', async (_, make, message) => {
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    onTestFinished(() => write.mockRestore())
    const gateway = gatewayFor(make())
    await supertest(gateway).get('/').expect(500, message)
    await supertest(gateway).get('/').expect(500, message)
    expect(String(write.mock.calls[0]![0])).toMatch(message)
  })
})

test('a mount, params and limits have the same effect as with a front server', async () => {
  const app = express().post('/cart', express.text(), (request, response) => {
    response.json({ base: request.baseUrl, secure: request.secure, body: request.body })
  })
  const gateway = gatewayFor(app, { mount: '/shop', params: { HTTPS: 'on' }, server: { maxBodyBytes: 5 } })
  const post = (body: string) => supertest(gateway).post('/shop/cart').type('text/plain').send(body)
  await post('hello').expect(200, { base: '/shop', secure: true, body: 'hello' })
  await post('hello!').expect(413)
})

test('one app responds to all requests until close(), which closes both servers', async () => {
  const connections = new Set<number>()
  const observer = { onBegin: ({ connection }: { connection: number }) => void connections.add(connection) }
  const gateway = gatewayFor({ responder: respond }, { observer })
  gateway.listen(0, '127.0.0.1')
  await once(gateway, 'listening')
  const url = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`
  for (let i = 0; i < 3; i++) await (await fetch(url, { headers: { connection: 'close' } })).text()
  expect(connections.size).toBe(1)
  const listening = (): number =>
    process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap').length
  const before = listening()
  gateway.close()
  await once(gateway, 'close')
  await expect.poll(listening).toBe(before - 2)
})
