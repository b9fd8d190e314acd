import { once } from 'node:events'
import type { Responder, ResponderRequest } from '@fcgi-bridge/testing'
import { type Dispatcher, fetch, request } from 'undici'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { FastCgiDispatcher, type FastCgiDispatcherOptions } from './dispatcher.ts'
import { hash, pieces } from './testing/bytes.ts'
import { deferred, setup } from './testing/setup.ts'

const URL_ = 'http://example.test/'
const HELLO = '\r\nhello'
const ABLE = { FCGI_MAX_CONNS: '100', FCGI_MAX_REQS: '100', FCGI_MPXS_CONNS: '1' }
const MIB = 1024 * 1024

/** The requests at the application, by path. A test can await those that have not arrived yet. */
class Arrivals {
  readonly #arrived = new Map<string, ReturnType<typeof deferred<ResponderRequest>>[]>()
  readonly #counts = new Map<string, number>()

  readonly handler = (r: ResponderRequest): void => {
    const path = r.params.PATH_INFO!
    const count = this.#counts.get(path) ?? 0
    this.#counts.set(path, count + 1)
    this.#at(path, count).resolve(r)
  }

  /** The request for a path. With `nth` 1, the second request for it. */
  of(path: string, nth = 0): Promise<ResponderRequest> {
    return this.#at(path, nth).promise
  }

  #at(path: string, nth: number): ReturnType<typeof deferred<ResponderRequest>> {
    const list = this.#arrived.get(path) ?? []
    this.#arrived.set(path, list)
    while (list.length <= nth) list.push(deferred())
    return list[nth]!
  }
}

interface Site {
  readonly dispatcher: FastCgiDispatcher
  readonly responder: Responder
  readonly arrivals: Arrivals
  /** Sends a request for a path, and waits until it has arrived. */
  readonly open: (path: string) => Promise<{ response: ReturnType<typeof fetch>; r: ResponderRequest }>
  /** Sends a request for a path, aborts it when it has arrived, and waits until the application knows. */
  readonly abort: (path: string) => Promise<ResponderRequest>
}

/**
 * Starts an application that can multiplex. The dispatcher has asked it already, so later requests may share
 * connections.
 */
async function able(
  options: FastCgiDispatcherOptions = {},
  values: Record<string, string> = ABLE,
): Promise<Site> {
  const arrivals = new Arrivals()
  const { dispatcher, responder } = await setup(arrivals.handler, { multiplex: true, values, ...options })
  const open: Site['open'] = async (path) => {
    const response = fetch(`${URL_}${path}`, { dispatcher })
    response.catch(() => {})
    return { response, r: await arrivals.of(`/${path}`) }
  }
  const abort: Site['abort'] = async (path) => {
    const controller = new AbortController()
    const aborted = request(`${URL_}${path}`, { dispatcher, signal: controller.signal })
    const r = await arrivals.of(`/${path}`)
    controller.abort()
    await expect(aborted).rejects.toThrow()
    await r.aborted
    return r
  }
  const first = await open('first')
  // The dispatcher closes the connection of FCGI_GET_VALUES when it has the result.
  const asked = responder.sockets.find((socket) => socket !== first.r.socket)
  if (asked !== undefined && !asked.closed) await once(asked, 'close')
  first.r.respond(HELLO)
  await (await first.response).text()
  return { dispatcher, responder, arrivals, open, abort }
}

describe('an application that can multiplex', () => {
  test('gets many requests on one connection, and ends them in any order', async () => {
    const { open } = await able()
    const opened = await Promise.all(Array.from({ length: 20 }, (_, i) => open(`${i}`)))
    expect(new Set(opened.map(({ r }) => r.socket)).size).toBe(1)
    expect(opened.map(({ r }) => r.requestId)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
    for (const { r } of opened.toReversed()) {
      r.stdout('\r\n')
      r.stdout(`body of ${r.params.PATH_INFO}`)
    }
    for (const { r } of opened) r.end()
    const texts = await Promise.all(opened.map(async ({ response }) => (await response).text()))
    expect(texts).toEqual(Array.from({ length: 20 }, (_, i) => `body of /${i}`))
  })

  test('gets no more requests on a connection than the option allows', async () => {
    const { open } = await able({ multiplex: 4 })
    const opened = []
    for (let i = 0; i < 10; i++) opened.push(await open(`${i}`))
    expect(new Set(opened.map(({ r }) => r.socket)).size).toBe(3)
    for (const { r } of opened) r.respond(HELLO)
    await Promise.all(opened.map(async ({ response }) => (await response).text()))
  })

  test('gets no more requests on a connection than it reports', async () => {
    const { open } = await able({}, { ...ABLE, FCGI_MAX_REQS: '2' })
    const opened = []
    for (let i = 0; i < 4; i++) opened.push(await open(`${i}`))
    expect(new Set(opened.map(({ r }) => r.socket)).size).toBe(2)
    for (const { r } of opened) r.respond(HELLO)
  })

  test('with maxConnections 1, no request waits for another', async () => {
    const { open } = await able({ maxConnections: 1 })
    const opened = await Promise.all([open('a'), open('b'), open('c')])
    for (const { r } of opened) r.respond(HELLO)
    for (const { response } of opened) expect(await (await response).text()).toBe('hello')
  })

  test('gets two concurrent uploads, each with its own bytes', async () => {
    const { dispatcher, arrivals } = await able()
    const size = 8 * MIB
    const upload = (path: string) =>
      request(`${URL_}${path}`, { dispatcher, method: 'POST', body: Buffer.concat([...pieces(size)]) })
    const responses = [upload('a'), upload('b')]
    for (const path of ['/a', '/b']) {
      const r = await arrivals.of(path)
      void r.stdinEnded.then(async () => r.respond(`\r\n${await hash(r.stdinChunks)}`))
    }
    const [a, b] = await Promise.all([arrivals.of('/a'), arrivals.of('/b')])
    expect(a.socket).toBe(b.socket)
    const expected = await hash(pieces(size))
    for (const response of responses) expect(await (await response).body.text()).toBe(expected)
  })

  test('an abort ends one request, and the others continue', async () => {
    const { abort, open, responder } = await able()
    const other = await open('other')
    const r = await abort('aborted')
    r.stdout('\r\nstill going')
    r.end()
    other.r.respond(HELLO)
    expect(await (await other.response).text()).toBe('hello')
    expect(responder.sockets.filter((socket) => !socket.closed)).toHaveLength(1)
  })

  test('each abort has its own time-out', async () => {
    const { abort, open } = await able()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const first = await abort('first-aborted')
    vi.advanceTimersByTime(600)
    const second = await abort('second-aborted')
    first.end()
    // A response after that END_REQUEST shows that it has been read.
    const between = await open('between')
    between.r.respond(HELLO)
    await (await between.response).text()
    vi.advanceTimersByTime(600)
    second.end()
    const last = await open('last')
    expect(last.r.socket).toBe(first.socket)
    last.r.respond(HELLO)
    expect(await (await last.response).text()).toBe('hello')
  })

  test('an ignored abort closes the connection when its other requests have ended', async () => {
    const { abort, open } = await able()
    const other = await open('other')
    const r = await abort('aborted')
    // After the time-out, new requests use another connection, while the other request is still running.
    let last = await open('0')
    for (let i = 1; last.r.socket === r.socket; i++) {
      last.r.respond(HELLO)
      await (await last.response).text()
      last = await open(`${i}`)
    }
    const gone = once(other.r.socket, 'close')
    other.r.respond(HELLO)
    expect(await (await other.response).text()).toBe('hello')
    await gone
    last.r.respond(HELLO)
  })

  test('a connection that closes fails requests whose response has begun, and sends the others again', async () => {
    const { open, arrivals } = await able()
    const begun = await open('begun')
    begun.r.stdout('\r\nhel')
    const response = await begun.response
    const waiting = await open('waiting')
    expect(waiting.r.socket).toBe(begun.r.socket)
    begun.r.socket.destroy()
    await expect(response.text()).rejects.toThrow()
    const again = await arrivals.of('/waiting', 1)
    again.respond(HELLO)
    expect(await (await waiting.response).text()).toBe('hello')
    expect((await waiting.response).status).toBe(200)
  })

  test('sends FCGI_CANT_MPX_CONN later: each request then has its own connection again', async () => {
    const { open, arrivals } = await able()
    const [a, b] = [await open('a'), await open('b')]
    b.r.end(0, 1)
    const again = await arrivals.of('/b', 1)
    expect(again.socket).not.toBe(a.r.socket)
    const c = await open('c')
    expect(new Set([a.r.socket, again.socket, c.r.socket]).size).toBe(3)
    for (const r of [a.r, again, c.r]) r.respond(HELLO)
    for (const { response } of [a, b, c]) expect(await (await response).text()).toBe('hello')
  })
})

describe('a response that is not read', () => {
  test('does not stop the other requests on its connection until 1 MiB is buffered', async () => {
    const { open } = await able()
    const stalled = await open('stalled')
    const other = await open('other')
    expect(stalled.r.socket).toBe(other.r.socket)
    stalled.r.stdout('\r\n')
    const stalledResponse = await stalled.response
    stalled.r.stdout(Buffer.alloc(MIB / 2))

    other.r.stdout('\r\n')
    const reader = (await other.response).body!.getReader()
    const take = async (bytes: number): Promise<void> => {
      for (let left = bytes; left > 0; ) left -= (await reader.read()).value!.length
    }
    for (let i = 0; i < 8; i++) {
      other.r.stdout(Buffer.alloc(MIB))
      await take(MIB)
    }

    // After that, the connection stops reading, new requests use another connection, and memory does not grow. The data
    // is larger than the kernel's buffers at their largest (tcp_rmem and tcp_wmem: 36 MiB).
    const beyond = 32 * MIB
    stalled.r.stdout(Buffer.alloc(beyond))
    other.r.stdout(Buffer.alloc(beyond))
    for (let last = await open('0'), i = 1; last.r.socket === stalled.r.socket; i++) {
      last.r.respond(HELLO)
      last = await open(`${i}`)
    }
    expect(stalled.r.socket.writableLength).toBeGreaterThan(MIB)

    const taking = stalledResponse.arrayBuffer()
    await take(beyond)
    stalled.r.end()
    expect((await taking).byteLength).toBe(MIB / 2 + beyond)
    other.r.end()
    expect((await reader.read()).done).toBe(true)
  })

  test('does not stop them if it was paused before its request had a connection', async () => {
    const { dispatcher, arrivals, open } = await able()
    const data: string[] = []
    let controller: Dispatcher.DispatchController | undefined
    const ended = deferred()
    dispatcher.dispatch(
      { origin: URL_, path: '/paused', method: 'GET' },
      {
        onRequestStart(given) {
          controller = given
          given.pause()
        },
        onResponseStart() {},
        onResponseData(_, chunk) {
          data.push(chunk.toString())
        },
        onResponseEnd: () => ended.resolve(),
        onResponseError: (_, error) => {
          throw error
        },
      },
    )
    const paused = await arrivals.of('/paused')
    const other = await open('other')
    expect(other.r.socket).toBe(paused.socket)
    paused.respond('\r\nheld')
    other.r.respond(HELLO)
    expect(await (await other.response).text()).toBe('hello')
    expect(data).toEqual([])
    controller!.resume()
    await ended.promise
    expect(data).toEqual(['held'])
  })

  test('lets them continue when it is aborted', async () => {
    const { open } = await able()
    const stalled = await open('stalled')
    const other = await open('other')
    stalled.r.stdout('\r\n')
    const response = await stalled.response
    stalled.r.stdout(Buffer.alloc(8 * MIB))
    other.r.respond(HELLO)
    await response.body!.cancel()
    expect(await (await other.response).text()).toBe('hello')
    await stalled.r.aborted
    stalled.r.end()
  })
})

describe('an application that cannot multiplex', () => {
  test.each<[string, Record<string, string> | undefined]>([
    ['reports that', { ...ABLE, FCGI_MPXS_CONNS: '0' }],
    ['reports nothing about it', {}],
  ])('and %s gets a connection for each request', async (_, values) => {
    const { open } = await able({}, values)
    const opened = [await open('a'), await open('b'), await open('c')]
    expect(new Set(opened.map(({ r }) => r.socket)).size).toBe(3)
    for (const { r } of opened) r.respond(HELLO)
  })

  test('and does not respond to FCGI_GET_VALUES: requests do not wait for it', async () => {
    const arrivals = new Arrivals()
    const { dispatcher, responder } = await setup(arrivals.handler, { multiplex: true })
    const response = request(`${URL_}a`, { dispatcher })
    const r = await arrivals.of('/a')
    r.respond(HELLO)
    expect(await (await response).body.text()).toBe('hello')
    expect(responder.sockets).toHaveLength(2)
  })

  test('gets no FCGI_GET_VALUES without the option', async () => {
    const arrivals = new Arrivals()
    const { dispatcher, responder } = await setup(arrivals.handler, { values: ABLE })
    const responses = ['a', 'b'].map((path) => request(URL_ + path, { dispatcher }))
    for (const path of ['/a', '/b']) (await arrivals.of(path)).respond(HELLO)
    for (const response of responses) expect(await (await response).body.text()).toBe('hello')
    expect(responder.sockets).toHaveLength(2)
  })
})

test.each([0, -1, 65_536, Number.NaN, 'yes'])('multiplex cannot be %s', async (multiplex) => {
  expect(() => new FastCgiDispatcher('/run/app.sock', { multiplex: multiplex as number })).toThrow(TypeError)
})
