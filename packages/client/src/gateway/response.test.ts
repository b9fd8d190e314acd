import { once } from 'node:events'
import http, { type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import type { ResponderRequest } from '@fcgi-bridge/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { open, raw } from '../testing/gateway.ts'
import { deferred } from '../testing/setup.ts'

describe('the response', () => {
  test('status, reason and headers are those of the application', async () => {
    const { port } = await open((r) => {
      r.respond(
        'Status: 299 So So\r\nX-Name: caf\xe9\r\nx-lower: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nDate: x\r\n\r\nhello',
      )
    })
    const response = await raw(port, 'GET / HTTP/1.0\r\n\r\n')
    expect(response).toBe(
      'HTTP/1.1 299 So So\r\nX-Name: caf\xe9\r\nx-lower: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nDate: x\r\nConnection: close\r\n\r\nhello',
    )
  })

  test('hop-by-hop headers and 1xx responses are dropped', async () => {
    const { url } = await open((r) => {
      r.respond(
        'Status: 103\r\nLink: </a>\r\n\r\nTransfer-Encoding: chunked\r\nConnection: close\r\nKeep-Alive: 1\r\nUpgrade: h2c\r\nTrailer: X\r\n\r\nhello',
      )
    })
    const request = http.get(url)
    request.on('information', () => expect.fail('a 1xx came through'))
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    expect(response.statusCode).toBe(200)
    expect(response.headers).toMatchObject({ connection: 'keep-alive', 'transfer-encoding': 'chunked' })
    expect(response.headers).not.toHaveProperty('upgrade')
    expect(response.headers).not.toHaveProperty('trailer')
    expect(await text(response)).toBe('hello')
  })

  test.each([
    ['HEAD', 200, '5'],
    ['GET', 204, undefined],
    ['GET', 205, undefined],
    ['GET', 304, '5'],
  ])('%s with %d has no body, and the connection is reused', async (method, status, length) => {
    const { port } = await open((r) => r.respond(`Status: ${status}\r\nContent-Length: 5\r\n\r\nstray`))
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    onTestFinished(() => agent.destroy())
    for (let i = 0; i < 2; i++) {
      const request = http.request({ port, method, agent }).end()
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      expect(response.statusCode).toBe(status)
      expect(response.headers['content-length']).toBe(length)
      expect(await text(response)).toBe('')
      expect(request.reusedSocket).toBe(i === 1)
    }
  })

  test('server-sent events: the head and each event arrive at once', async () => {
    const app = deferred<ResponderRequest>()
    const { url } = await open((r) => {
      r.stdout('Content-Type: text/event-stream\r\n\r\n')
      app.resolve(r)
    })
    const response = await fetch(url)
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
      ;(await app.promise).stdout(event)
      expect((await reader.read()).value).toBe(event)
    }
    await reader.cancel()
    await (await app.promise).aborted
  })

  test('onStderr gets what the application writes to FCGI_STDERR', async () => {
    const heard: string[] = []
    const { url } = await open(
      (r) => {
        r.stderr('oops')
        r.respond('\r\n')
      },
      { onStderr: (chunk, { path }) => heard.push(`${path}: ${chunk}`) },
    )
    await (await fetch(`${url}/x`)).text()
    expect(heard).toEqual(['/x: oops'])
  })
})
