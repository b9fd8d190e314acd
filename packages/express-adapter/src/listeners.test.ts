import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import connect from 'connect'
import express from 'express'
import Fastify from 'fastify'
import Koa from 'koa'
import { describe, expect, test } from 'vitest'
import { serve } from './index.ts'
import type { InternalRequest } from './internals.ts'
import { createFastCgiClient } from './testing/fastcgi-client.ts'
import { serveForTest } from './testing/served.ts'

describe('listeners other than Express apps', () => {
  test('Koa: request body, error, and properties of the request', async () => {
    const koa = new Koa({ proxy: false })
    koa.on('error', () => {})
    koa.use(async (context) => {
      if (context.path === '/fail') throw new Error('broken')
      let body = ''
      for await (const chunk of context.req) body += chunk
      context.set('X-Ip', context.ip)
      context.cookies.set('a', '1')
      context.body = { body, url: context.url, host: context.host, secure: context.secure }
    })
    const { client } = await serveForTest(koa.callback())
    const { status, headers, body } = await client.send({ method: 'POST', path: '/x?y', body: 'sent' })
      .response
    expect(status).toBe(200)
    expect(headers).toContainEqual(['x-ip', '127.0.0.1'])
    expect(headers).toContainEqual(['set-cookie', 'a=1; path=/; httponly'])
    expect(JSON.parse(body.toString())).toEqual({
      body: 'sent',
      url: '/x?y',
      host: 'example.test',
      secure: false,
    })
    expect((await client.send({ path: '/fail' }).response).status).toBe(500)
  })

  test('Fastify, through its routing function', async () => {
    const fastify = Fastify()
    fastify.post('/echo/:id', async (request, reply) => {
      reply.header('x-ip', request.ip)
      return { id: (request.params as { id: string }).id, body: request.body }
    })
    await fastify.ready()
    const { client } = await serveForTest(
      fastify.routing as (request: IncomingMessage, response: ServerResponse) => void,
    )
    const { status, headers, body } = await client.send({
      method: 'POST',
      path: '/echo/7',
      headers: ['Content-Type', 'application/json'],
      body: '{"a":1}',
    }).response
    expect([status, JSON.parse(body.toString())]).toEqual([200, { id: '7', body: { a: 1 } }])
    expect(headers).toContainEqual(['x-ip', '127.0.0.1'])
    expect((await client.send({ path: '/none' }).response).status).toBe(404)
    await fastify.close()
  })

  test('connect, under a mount', async () => {
    const app = connect()
    app.use('/sub', (request, response) => void response.end(`${request.url} of ${request.originalUrl}`))
    const { client } = await serveForTest(app, { mount: '/shop' })
    expect((await client.send({ path: '/shop/sub/x' }).response).body.toString()).toBe('/x of /shop/sub/x')
    expect((await client.send({ path: '/shop/none' }).response).status).toBe(404)
  })

  test('a bare function', async () => {
    const { client } = await serveForTest((request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/plain' })
      response.end(`${request.method} ${request.url} ${request.headers.host} ${request.headers['x-a']}`)
    })
    const { body } = await client.send({ path: '/a?b', headers: ['X-A', '1', 'X-A', '2'] }).response
    expect(body.toString()).toBe('GET /a?b example.test 1, 2')
  })
})

describe('req.socket', () => {
  test('an upgrade request is an ordinary request, and data written to its socket is dropped', async () => {
    const { client } = await serveForTest((request, response) => {
      request.socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n')
      response.end(`${(request as InternalRequest).upgrade} ${request.headers.upgrade}`)
    })
    const { status, body } = await client.send({ headers: ['Connection', 'Upgrade', 'Upgrade', 'websocket'] })
      .response
    expect([status, body.toString()]).toEqual([200, 'false undefined'])
  })

  test('emits close when both the response and the request have ended', async () => {
    const events: string[] = []
    let closed: Promise<unknown> = Promise.resolve()
    const { client } = await serveForTest((request, response) => {
      closed = once(request.socket, 'close')
      request.socket.on('close', () => events.push('socket'))
      request.on('close', () => events.push('request'))
      response.on('close', () => events.push('response'))
      response.end('x')
    })
    expect(await client.send().response).toMatchObject({ status: 200, complete: true })
    await closed
    expect(events.sort()).toEqual(['request', 'response', 'socket'])
    expect(events).toHaveLength(3)
  })

  test('ending or destroying it before the response has ended is a 500', async () => {
    const { client } = await serveForTest((_, response) => void response.socket!.end())
    expect((await client.send().response).status).toBe(500)
    const other = await serveForTest((request) => request.socket.destroySoon())
    expect((await other.client.send().response).status).toBe(500)
  })

  test('when it is destroyed, response.write returns false', async () => {
    let more: boolean | undefined
    const { client } = await serveForTest((request, response) => {
      request.socket.destroy()
      more = response.write('x')
    })
    expect((await client.send().response).status).toBe(500)
    expect(more).toBe(false)
  })

  test('setTimeout refuses NaN', async () => {
    const { client } = await serveForTest((request, response) => {
      try {
        request.socket.setTimeout(Number.NaN)
      } catch (error) {
        response.end((error as Error).name)
      }
    })
    expect((await client.send().response).body.toString()).toBe('RangeError')
  })
})

test('serve listens on the given port, and resolves with the server', async () => {
  const app = express()
  app.get('/', (_, response) => void response.send('served'))
  const server = await serve(app, { port: 0, host: '127.0.0.1', handleSignals: false })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not a TCP address')
  const client = createFastCgiClient(address.port)
  expect((await client.send().response).body.toString()).toBe('served')
  await server.close()
})

test('serve throws for a value that is not an app, before it listens', () => {
  expect(() => serve(undefined as never)).toThrow(TypeError)
})
