import { once } from 'node:events'
import http, { type IncomingMessage } from 'node:http'
import { Responder } from '@fcgi-bridge/testing'
import supertest from 'supertest'
import { describe, expect, onTestFinished, test } from 'vitest'
import { hash, pieces } from '../testing/bytes.ts'
import { open } from '../testing/gateway.ts'
import { createGateway } from './gateway.ts'

const SIZE = 64 * 1024 * 1024

describe('large bodies and many requests', () => {
  test('64 MiB up and down at once, chunked both ways', async () => {
    const { url } = await open((r) => {
      r.stdout('\r\n')
      r.socket.setMaxListeners(0)
      const { push } = r.stdinChunks
      r.stdinChunks.push = (...chunks) => {
        for (const chunk of chunks)
          if (!r.stdout(chunk)) r.socket.pause().once('drain', () => r.socket.resume())
        return push.length
      }
      void r.stdinEnded.then(() => r.end())
    })
    const body = ReadableStream.from(pieces(SIZE))
    const response = await fetch(url, { method: 'POST', body, duplex: 'half' } as RequestInit)
    expect(await hash(response.body!)).toBe(await hash(pieces(SIZE)))
  })

  test('fifty concurrent requests, repeated, over kept connections', async () => {
    const { url, responder } = await open((r) => r.respond(`\r\n${r.params.PATH_INFO}`), {
      maxConnections: 10,
    })
    for (let round = 0; round < 3; round++) {
      const paths = Array.from({ length: 50 }, (_, i) => `/${round}-${i}`)
      expect(await Promise.all(paths.map(async (path) => (await fetch(url + path)).text()))).toEqual(paths)
    }
    expect(responder.sockets).toHaveLength(10)
  })

  test('a client that reads slowly slows the application down', async () => {
    let sent = 0
    const { port } = await open(async (r) => {
      r.stdout('\r\n')
      for (const piece of pieces(SIZE)) {
        sent += piece.length
        if (!r.stdout(piece)) await once(r.socket, 'drain')
      }
      r.end()
    })
    const [response] = (await once(http.get({ port }), 'response')) as [IncomingMessage]
    let received = 0
    let most = 0
    for await (const chunk of response) {
      for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve))
      received += chunk.length
      most = Math.max(most, sent - received)
    }
    expect(received).toBe(SIZE)
    // The kernel buffers of two TCP connections grow to some MiB each.
    expect(most).toBeLessThan(SIZE / 2)
  })
})

describe('as a server', () => {
  test('supertest accepts it repeatedly, listening or not', async () => {
    const responder = await Responder.listen(async (r) =>
      r.respond(`Status: 201\r\nContent-Type: text/plain\r\n\r\n${await r.body()}`),
    )
    onTestFinished(() => responder.close())
    const gateway = createGateway(responder.address)
    for (let i = 0; i < 3; i++) {
      const response = await supertest(gateway).post('/').type('text/plain').send('hello').expect(201)
      expect(response.text).toBe('hello')
    }
    const agent = supertest.agent(gateway.listen(0))
    await agent.get('/').expect(201)
    await agent.get('/').expect(201)
    gateway.close()
    await once(gateway, 'close')
  })

  test('closing it closes the connections to the application', async () => {
    const { server, responder, url } = await open((r) => r.respond('\r\n'))
    await (await fetch(url, { headers: { connection: 'close' } })).text()
    server.close()
    const [socket] = responder.sockets
    if (!socket!.closed) await once(socket!, 'close')
  })

  test('an invalid address is refused at once', () => {
    expect(() => createGateway('nowhere')).toThrow(TypeError)
  })
})
