import { once } from 'node:events'
import { Readable } from 'node:stream'
import type { ResponderRequest } from '@fcgi-bridge/testing'
import { fetch, request } from 'undici'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { deferred, setup } from './testing/setup.ts'

const URL_ = 'http://example.test/'
const HELLO = '\r\nhello'

/**
 * An application that answers the first request on each connection, and closes the connection instead of answering the
 * next: what one does whose process ends at that moment.
 */
function closing(answer: (request: ResponderRequest) => void = (r) => r.respond(HELLO)): {
  handler: (request: ResponderRequest) => void
  /** How many requests reached it. */
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
      answer(r)
    },
  }
}

describe('a request that meets a kept connection which closes', () => {
  test.each(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'] as const)(
    '%s is sent again on a fresh one',
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

  test('of many at once none is lost', async () => {
    const { handler, count } = closing()
    const { dispatcher } = await setup(handler, { maxConnections: 5 })
    const texts = await Promise.all(
      Array.from({ length: 100 }, async () => (await fetch(URL_, { dispatcher })).text()),
    )
    expect(texts).toEqual(Array.from({ length: 100 }, () => 'hello'))
    expect(count()).toBeGreaterThan(100)
  })

  test('a POST is not, unless its caller says that it may be', async () => {
    const { handler } = closing()
    const { dispatcher } = await setup(handler)
    const post = { path: '/', method: 'POST', body: 'x' } as const
    await (await dispatcher.request(post)).body.text()
    await expect(dispatcher.request(post)).rejects.toMatchObject({ code: 'FCGI_ERR_CONNECTION_CLOSED' })
    await (await dispatcher.request(post)).body.text()
    // undici's own option, which its types have on dispatch() alone.
    const again = await dispatcher.request({ ...post, idempotent: true } as never)
    expect(again.statusCode).toBe(200)
  })

  test('a GET is not when its caller says that it may not be', async () => {
    const { handler } = closing()
    const { dispatcher } = await setup(handler)
    await (await request(URL_, { dispatcher })).body.text()
    const once = dispatcher.request({ path: '/', method: 'GET', idempotent: false } as never)
    await expect(once).rejects.toMatchObject({ code: 'FCGI_ERR_CONNECTION_CLOSED' })
  })

  test('nor one whose body has begun to go out and can not be had again', async () => {
    const { handler } = closing()
    const { dispatcher } = await setup(handler)
    await (await request(URL_, { dispatcher })).body.text()
    const body = (async function* () {
      yield 'x'
    })()
    const put = request(URL_, { dispatcher, method: 'PUT', body: body as never })
    await expect(put).rejects.toMatchObject({ code: 'FCGI_ERR_CONNECTION_CLOSED' })
  })

  test('nor one whose answer has begun', async () => {
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

  test('it is sent again once: an application that closes every time is told of', async () => {
    let requests = 0
    const { dispatcher } = await setup((r) => {
      if (requests++ === 0) r.respond(HELLO)
      else r.socket.destroy()
    })
    await (await request(URL_, { dispatcher })).body.text()
    await expect(request(URL_, { dispatcher })).rejects.toMatchObject({ code: 'FCGI_ERR_CONNECTION_CLOSED' })
    expect(requests).toBe(3)
  })

  test('one that was aborted meanwhile is not sent again', async () => {
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

  test('while the dispatcher closes, too: it was taken', async () => {
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

test('on a fresh connection that closes nothing is sent again: the request may be what ended the application', async () => {
  let requests = 0
  const { dispatcher } = await setup((r) => {
    requests++
    r.socket.destroy()
  })
  await expect(request(URL_, { dispatcher })).rejects.toMatchObject({ code: 'FCGI_ERR_CONNECTION_CLOSED' })
  expect(requests).toBe(1)
})

test('where an application closes kept connections, a POST gets one of its own', async () => {
  const { dispatcher, responder } = await setup((r) => r.respond(HELLO), { maxConnections: 1 })
  await (await request(URL_, { dispatcher })).body.text()
  const gone = once(dispatcher, 'disconnect')
  responder.sockets[0]!.end()
  await gone
  for (const method of ['GET', 'POST', 'GET', 'POST'] as const) {
    await (await request(URL_, { dispatcher, method, body: method === 'POST' ? 'x' : null })).body.text()
  }
  // The first, that of GET, POST with the GET after it, POST.
  expect(responder.sockets).toHaveLength(4)
})

test('a minute after that, a POST takes a kept one again', async () => {
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

test('where an application answers and closes at once, not even a POST is lost that follows on the answer', async () => {
  // END_REQUEST says that the connection is kept, and the end of the connection comes right behind it.
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

test('FCGI_CANT_MPX_CONN is sent again on a connection of its own, once', async () => {
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
