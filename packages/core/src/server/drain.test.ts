// Tests how close() ends keep-alive connections, and how it notifies the app.
import { once } from 'node:events'
import { type Peer, TYPES } from '@fcgi-bridge/testing'
import { describe, expect, test } from 'vitest'
import { App, closed, connected, deferred, echo, joined, listen, TRANSPORTS } from '../testing/serving.ts'
import { createServer } from './server.ts'

const KEPT = { keepConn: true }
const NGINX = { SERVER_SOFTWARE: 'nginx/1.22.1' }
const APACHE = { SERVER_SOFTWARE: 'Apache/2.4.71 (Debian)' }

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate)
}

/** The number of records that tell nginx to stop using the connection. */
function goAways(peer: Peer): number {
  return peer.recordsOf(1).filter(({ type, content }) => type === TYPES.STDERR && content.length === 0).length
}

describe.each(TRANSPORTS)('a keep-alive connection, over %s', (transport) => {
  test.each([
    ['that has had a request', true],
    ['without a request', false],
  ])('%s serves one that arrived while the event loop was blocked', async (_, isUsed) => {
    const { peer, server } = await connected(echo, {}, transport)
    if (isUsed) {
      peer.get(1, APACHE, KEPT)
      await peer.response(1)
    }
    const close = server.close()
    await turns(3)
    peer.forget().get(1, APACHE, KEPT)
    // Longer than a connection may be idle. The event loop handles timers before it reads sockets.
    const end = performance.now() + 1200
    while (performance.now() < end);
    expect((await peer.response(1)).stdout).toMatch(/GET \/ $/)
    await close
  })

  test('that has had no request yet is kept open longer', async () => {
    const { peer, server } = await connected(echo, {}, transport)
    const close = server.close()
    await new Promise((resolve) => setTimeout(resolve, 600))
    peer.get(1, APACHE, KEPT)
    expect((await peer.response(1)).stdout).toMatch(/GET \/ $/)
    await close
  })

  test('stays open while requests arrive, and is closed when none has arrived for a while', async () => {
    const { peer, server } = await connected(echo, {}, transport)
    peer.get(1, APACHE, KEPT)
    await peer.response(1)
    const close = server.close()
    for (let round = 0; round < 4; round++) {
      await new Promise((resolve) => setTimeout(resolve, 150))
      peer.forget().get(1, APACHE, KEPT)
      expect((await peer.response(1)).stdout).toMatch(/GET \/ $/)
      expect(peer.ended).toBe(false)
    }
    const since = performance.now()
    await peer.end()
    expect(performance.now() - since).toBeGreaterThan(300)
    expect(goAways(peer)).toBe(0)
    await close
  })

  test.each<[string, number, number]>([
    ['a small response', 100, 0],
    ['a large response', 300_000, 0],
    ['a small response to a request with a body', 100, 100_000],
  ])('from nginx is closed after the next response and a record that says so: %s', async (_, size, body) => {
    const app = new App()
    const { peer, server, sockets } = await connected(app.handler, {}, transport)
    peer.post(1, { ...NGINX, CONTENT_LENGTH: String(body) }, KEPT)
    if (body > 0) peer.stdin(1, Buffer.alloc(body))
    peer.endStdin(1)
    const exchange = await app.next()
    exchange.stdin.discard()
    await turns(5)
    const close = server.close()
    exchange.end(Buffer.alloc(size, 'b'))
    await peer.end()
    expect((await peer.response(1)).stdout).toHaveLength(size + 'Status: 200 OK\r\n\r\n'.length)
    expect(peer.records.slice(-2).map(({ type, content }) => [type, content.length])).toEqual([
      [TYPES.END_REQUEST, 8],
      [TYPES.STDERR, 0],
    ])
    await closed(sockets[0]!)
    await close
    expect(peer.error).toBeUndefined()
  })

  test('from nginx is closed after a pending END_REQUEST', async () => {
    const { peer, server } = await connected((exchange) => exchange.end('early'), {}, transport)
    peer.post(1, { ...NGINX, CONTENT_LENGTH: '10' }, KEPT)
    await peer.stdout(1, 'early')
    const close = server.close()
    peer.stdin(1, '0123456789').endStdin(1)
    await peer.end()
    expect(goAways(peer)).toBe(1)
    await close
  })

  test('that is idle stays open until nginx closes it, and a record tells nginx to do so', async () => {
    const { peer, server } = await connected(echo, {}, transport)
    peer.get(1, NGINX, KEPT)
    await peer.response(1)
    peer.forget()
    const close = server.close()
    await peer.next(TYPES.STDERR, 1)
    expect(peer.records.map(({ type, content }) => [type, content.length])).toEqual([[TYPES.STDERR, 0]])
    peer.destroy()
    await close
  })

  test('that is idle serves a request that nginx sends before it reads that record, however late', async () => {
    const { peer, server } = await connected(echo, {}, transport)
    peer.get(1, NGINX, KEPT)
    await peer.response(1)
    const close = server.close()
    // Longer than connections of other front servers may be idle.
    await new Promise((resolve) => setTimeout(resolve, 600))
    peer.forget().get(1, NGINX, KEPT)
    expect((await peer.response(1)).stdout).toMatch(/GET \/ $/)
    await peer.end()
    await close
  })

  test('that is idle is closed when half of drainTimeout has passed, even if nginx does not close it', async () => {
    const { peer, server } = await connected(echo, { drainTimeout: 1000 }, transport)
    peer.get(1, NGINX, KEPT)
    await peer.response(1)
    const began = performance.now()
    const close = server.close()
    await peer.end()
    expect(performance.now() - began).toBeGreaterThan(450)
    peer.destroy()
    await close
    expect(performance.now() - began).toBeLessThan(1000)
  })

  test('is closed after its next response when half of drainTimeout has passed', async () => {
    const { peer, server } = await connected(echo, { drainTimeout: 1000 }, transport)
    const close = server.close()
    const began = performance.now()
    while (!peer.ended) {
      peer.forget().get(1, APACHE, KEPT)
      expect((await peer.response(1)).stdout).toMatch(/GET \/ $/)
      await Promise.race([peer.end(), new Promise((resolve) => setTimeout(resolve, 20))])
    }
    expect(performance.now() - began).toBeGreaterThan(450)
    await close
    expect(performance.now() - began).toBeLessThan(1000)
  })
})

test('nginx is not told to stop using a connection while other requests are running on it', async () => {
  const app = new App()
  const { peer, server } = await connected(app.handler)
  for (const id of [1, 2]) peer.get(id, NGINX, KEPT)
  const [first, second] = [await app.next(), await app.next()]
  const close = server.close()
  first.end('first')
  await peer.response(1)
  expect(goAways(peer)).toBe(0)
  second.end('second')
  await peer.end()
  expect(goAways(peer)).toBe(1)
  await close
})

test.each([0, 1])(
  'close() settles if drainTimeout (%i ms) expires before the queue of the listening socket is empty',
  async (drainTimeout) => {
    const app = new App()
    const { peer, server } = await connected(app.handler, { drainTimeout })
    peer.get(1, {}, KEPT)
    await app.next()
    // The server uses immediates to find out that the queue is empty. The timer of drainTimeout must run before the first of them.
    await turns(1)
    const close = server.close()
    const end = performance.now() + 20
    while (performance.now() < end);
    expect((await peer.response(1)).stdout).toMatch(/^Status: 503 /)
    await close
  },
)

test('a connection without FCGI_KEEP_CONN is closed after its response, as usual', async () => {
  const app = new App()
  const { peer, server } = await connected(app.handler)
  peer.get(1, NGINX)
  const exchange = await app.next()
  const close = server.close()
  exchange.end('last')
  await peer.end()
  expect(peer.records.at(-1)!.type).toBe(TYPES.END_REQUEST)
  await close
})

test('a draining server serves a stream that is passed to acceptStream', async () => {
  const app = new App()
  const { peer, server } = await connected(app.handler)
  peer.get(1)
  const exchange = await app.next()
  const close = server.close()
  const late = joined(server)
  late.get(1)
  ;(await app.next()).end('late')
  expect((await late.response(1)).stdout).toMatch(/late$/)
  exchange.end()
  await peer.response(1)
  await close
})

describe('draining', () => {
  test('aborts when close() is called: for the server, and for each exchange', async () => {
    const app = new App()
    const { peer, server } = await connected(app.handler)
    peer.get(1)
    const exchange = await app.next()
    expect(exchange.draining.aborted).toBe(false)
    expect(exchange.draining).toBe(server.draining)
    exchange.draining.addEventListener('abort', () => exchange.end('ended early'), { once: true })
    const close = server.close()
    expect((await peer.response(1)).stdout).toMatch(/ended early$/)
    await close
    expect(exchange.aborted).toBe(false)
  })

  test('is already aborted if it is first read after close()', async () => {
    const server = createServer(echo)
    const close = server.close()
    expect(server.draining.aborted).toBe(true)
    await close
  })

  test('has listeners that can call close() again', async () => {
    const server = createServer(echo)
    const { promise, resolve } = deferred<Promise<void>>()
    server.draining.addEventListener('abort', () => resolve(server.close()))
    const close = server.close()
    expect(await promise).toBe(await close)
  })

  test('can have many listeners without a warning', async () => {
    const server = createServer(echo)
    const warned = once(process, 'warning')
    for (let i = 0; i < 20; i++) server.draining.addEventListener('abort', () => {})
    expect(await Promise.race([warned, turns(3)])).toBeUndefined()
    await server.close()
  })
})

test('stats() returns current numbers and totals', async () => {
  const app = new App()
  const made = createServer(echo)
  expect(made.stats()).toEqual({
    state: 'idle',
    connections: 0,
    idleConnections: 0,
    runningRequests: 0,
    pendingPromises: 0,
    acceptedConnections: 0,
    acceptedRequests: 0,
    refusedRequests: 0,
  })
  const serving = await listen(app.handler)
  const { server } = serving
  const [kept, running] = [await serving.connect(), await serving.connect()]
  kept.get(1, {}, KEPT)
  ;(await app.next()).end()
  await kept.response(1)
  running.get(1, {}, KEPT).get(2, {}, KEPT)
  const exchanges = [await app.next(), await app.next()]
  const work = deferred()
  server.waitUntil(work.promise)
  expect(server.stats()).toEqual({
    state: 'listening',
    connections: 2,
    idleConnections: 1,
    runningRequests: 2,
    pendingPromises: 1,
    acceptedConnections: 2,
    acceptedRequests: 3,
    refusedRequests: 0,
  })
  const close = server.close()
  expect(server.stats()).toMatchObject({ state: 'draining', runningRequests: 2 })
  for (const exchange of exchanges) exchange.end()
  work.resolve()
  await close
  expect(server.stats()).toEqual({
    state: 'closed',
    connections: 0,
    idleConnections: 0,
    runningRequests: 0,
    pendingPromises: 0,
    acceptedConnections: 2,
    acceptedRequests: 3,
    refusedRequests: 0,
  })
})
