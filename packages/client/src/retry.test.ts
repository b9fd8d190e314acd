import { once } from 'node:events'
import { Readable } from 'node:stream'
import type { ResponderRequest } from '@fcgi-bridge/testing'
import { fetch, request } from 'undici'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { deferred, setup } from './testing/setup.ts'

const URL_ = 'http://example.test/'
const HELLO = '\r\nhello'

/**
 * An application that responds to the first request on each connection, and closes the connection when the second
 * arrives, like a process that exits at that moment.
 */
function closing(respond: (request: ResponderRequest) => void = (r) => r.respond(HELLO)): {
  handler: (request: ResponderRequest) => void
  /** The number of requests that reached the application. */
  count: () => number
} {
  const seen = new Set<unknown>()
  let requests = 0
  return {
    count: () => requests,
    handler: (r) => {
      requests++
      if (seen.has(r.socket)) return void r.socket.destroy()
      seen.add(r.socket)
      respond(r)
    },
  }
}

describe('a request on a kept connection that closes', () => {
  test.each(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'] as const)(
    '%s is sent again on a new connection',
    async (method) => {
      const bodies: string[] = []
      const { handler } = closing(async (r) => {
        bodies.push(`${r.params.REQUEST_METHOD} ${await r.body()}`)
        r.respond(HELLO)
      })
      const { dispatcher, responder } = await setup(handler)
      await (await request(URL_, { dispatcher })).body.text()
      const body = method === 'PUT' ? 'text' : null
      const response = await request(URL_, { dispatcher, method, body })
      expect(await response.body.text()).toBe(method === 'HEAD' ? '' : 'hello')
      expect(bodies).toEqual(['GET ', `${method} ${body ?? ''}`])
      expect(responder.sockets).toHaveLength(2)
    },
  )

  test('no concurrent request is lost', async () => {
    const { handler, count } = closing()
    const { dispatcher } = await setup(handler, { maxConnections: 5 })
    const texts = await Promise.all(
      Array.from({ length: 100 }, async () => (await fetch(URL_, { dispatcher })).text()),
    )
    expect(texts).toEqual(Array.from({ length: 100 }, () => 'hello'))
    expect(count()).toBeGreaterThan(100)
  })

  test('a POST is not sent again, unless the caller sets `idempotent`', async () => {
    const { handler } = closing()
    const { dispatcher } = await setup(handler)
    const post = { path: '/', method: 'POST', body: 'x' } as const
    await (await dispatcher.request(post)).body.text()
    await expect(dispatcher.request(post)).rejects.toMatchObject({ code: 'FCGI_ERR_CONNECTION_CLOSED' })
    await (await dispatcher.request(post)).body.text()
    // undici's own option. Its types have it only for dispatch().
    const again = await dispatcher.request({ ...post, idempotent: true } as never)
    expect(again.statusCode).toBe(200)
  })

  test('a GET is not sent again if the caller sets `idempotent: false`', async () => {
    const { handler } = closing()
    const { dispatcher } = await setup(handler)
    await (await request(URL_, { dispatcher })).body.text()
    const once = dispatcher.request({ path: '/', method: 'GET', idempotent: false } as never)
    await expect(once).rejects.toMatchObject({ code: 'FCGI_ERR_CONNECTION_CLOSED' })
  })

  test('nor is a request whose streamed body was sent in part', async () => {
    const { handler } = closing()
    const { dispatcher } = await setup(handler)
    await (await request(URL_, { dispatcher })).body.text()
    const body = (async function* () {
      yield 'x'
    })()
    const put = request(URL_, { dispatcher, method: 'PUT', body: body as never })
    await expect(put).rejects.toMatchObject({ code: 'FCGI_ERR_CONNECTION_CLOSED' })
  })

  test('nor is a request whose response has begun', async () => {
    let requests = 0
    const { dispatcher } = await setup((r) => {
      if (requests++ === 0) return r.respond(HELLO)
      r.stdout('X-A: 1\r\n')
      r.socket.end()
    })
    await (await request(URL_, { dispatcher })).body.text()
    await expect(request(URL_, { dispatcher })).rejects.toMatchObject({ code: 'FCGI_ERR_CONNECTION_CLOSED' })
    expect(requests).toBe(2)
  })

  test('it is sent again only once: a second close is an error', async () => {
    let requests = 0
    const { dispatcher } = await setup((r) => {
      if (requests++ === 0) r.respond(HELLO)
      else r.socket.destroy()
    })
    await (await request(URL_, { dispatcher })).body.text()
    await expect(request(URL_, { dispatcher })).rejects.toMatchObject({ code: 'FCGI_ERR_CONNECTION_CLOSED' })
    expect(requests).toBe(3)
  })

  test('a request that was aborted meanwhile is not sent again', async () => {
    const app = deferred<ResponderRequest>()
    let requests = 0
    const { dispatcher } = await setup((r) => (requests++ === 0 ? r.respond(HELLO) : app.resolve(r)))
    await (await request(URL_, { dispatcher })).body.text()
    const controller = new AbortController()
    const aborted = expect(request(URL_, { dispatcher, signal: controller.signal })).rejects.toThrow(
      'aborted',
    )
    const r = await app.promise
    const gone = once(dispatcher, 'disconnect')
    controller.abort()
    r.socket.destroy()
    await aborted
    await gone
    expect(requests).toBe(2)
  })

  test('it is sent again even while the dispatcher closes', async () => {
    const app = deferred<ResponderRequest>()
    let requests = 0
    const { dispatcher } = await setup((r) => {
      if (requests++ === 1) app.resolve(r)
      else r.respond(HELLO)
    })
    await (await request(URL_, { dispatcher })).body.text()
    const response = request(URL_, { dispatcher })
    const r = await app.promise
    const closed = dispatcher.close()
    r.socket.destroy()
    expect(await (await response).body.text()).toBe('hello')
    await closed
  })
})

test('a request on a new connection that closes is not sent again: the request may have crashed the application', async () => {
  let requests = 0
  const { dispatcher } = await setup((r) => {
    requests++
    r.socket.destroy()
  })
  await expect(request(URL_, { dispatcher })).rejects.toMatchObject({ code: 'FCGI_ERR_CONNECTION_CLOSED' })
  expect(requests).toBe(1)
})

test('if an application has closed a kept connection, each POST gets a new one', async () => {
  const { dispatcher, responder } = await setup((r) => r.respond(HELLO), { maxConnections: 1 })
  await (await request(URL_, { dispatcher })).body.text()
  const gone = once(dispatcher, 'disconnect')
  responder.sockets[0]!.end()
  await gone
  for (const method of ['GET', 'POST', 'GET', 'POST'] as const) {
    await (await request(URL_, { dispatcher, method, body: method === 'POST' ? 'x' : null })).body.text()
  }
  // The connections: the first one, that of GET, that of POST and the GET after it, that of POST.
  expect(responder.sockets).toHaveLength(4)
})

test('a minute later, a POST uses a kept connection again', async () => {
  const { dispatcher, responder } = await setup((r) => r.respond(HELLO))
  const ask = async (method: 'GET' | 'POST') => (await request(URL_, { dispatcher, method })).body.text()
  await ask('GET')
  const gone = once(dispatcher, 'disconnect')
  responder.sockets[0]!.end()
  await gone
  await ask('GET')
  const minute = performance.now() + 60_000
  const now = vi.spyOn(performance, 'now').mockReturnValue(minute)
  onTestFinished(() => now.mockRestore())
  await ask('POST')
  expect(responder.sockets).toHaveLength(2)
})

test('if an application responds and closes at once, no POST right after the response is lost', async () => {
  // END_REQUEST promises to keep the connection, but the application closes it directly afterwards.
  const { dispatcher, responder } = await setup((r) => {
    r.respond(HELLO)
    r.socket.end()
  })
  for (let i = 0; i < 50; i++) {
    const response = await request(URL_, { dispatcher, method: 'POST', body: Readable.from(['a body']) })
    expect(await response.body.text()).toBe('hello')
  }
  expect(responder.sockets).toHaveLength(50)
})

test('a request refused with FCGI_CANT_MPX_CONN is sent again, once, on its own connection', async () => {
  let refusals = 1
  const { dispatcher, responder } = await setup((r) => (refusals-- > 0 ? r.end(0, 1) : r.respond(HELLO)))
  const response = await request(URL_, { dispatcher, method: 'POST', body: 'x' })
  expect(await response.body.text()).toBe('hello')
  expect(responder.sockets).toHaveLength(2)
  refusals = 2
  await expect(request(URL_, { dispatcher })).rejects.toMatchObject({
    code: 'FCGI_ERR_CANT_MPX_CONN',
    retryable: true,
    protocolStatus: 1,
  })
})
