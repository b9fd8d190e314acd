import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { duplexPair } from 'node:stream'
import { text } from 'node:stream/consumers'
import { begin, Peer, params, record, TYPES } from '@fcgi-bridge/testing'
import { describe, expect, test, vi } from 'vitest'
import {
  App,
  connected,
  deferred,
  echo,
  joined,
  listen,
  readAll,
  stopClock,
  TRANSPORTS,
} from '../testing/serving.ts'
import { createServer } from './server.ts'

describe.each(TRANSPORTS)('close() over %s', (transport) => {
  test('lets running requests finish, closes idle connections, and stops accepting', async () => {
    const app = new App()
    const serving = await listen(app.handler, {}, transport)
    const { server } = serving
    const address = server.address()!
    const [idle, fresh, kept, last] = [
      await serving.connect(),
      await serving.connect(),
      await serving.connect(),
      await serving.connect(),
    ]
    idle.get(1, {}, { keepConn: true })
    ;(await app.next()).end()
    await idle.response(1)
    kept.get(1, {}, { keepConn: true })
    const first = await app.next()
    last.post(1, { CONTENT_LENGTH: '4' })
    const second = await app.next()

    const onClose = vi.fn()
    server.on('close', onClose)
    const closed = server.close()
    expect(server.address()).toBeNull()
    await Promise.all([idle.end(), fresh.end()])
    await expect(
      Peer.connect(typeof address === 'string' ? { path: address } : { port: address.port }),
    ).rejects.toThrow(/ECONNREFUSED|ENOENT/)
    last.stdin(1, 'body').endStdin(1)
    second.end(await readAll(second.stdin))
    expect((await last.response(1)).stdout).toMatch(/\r\n\r\nbody$/)
    expect(onClose).not.toHaveBeenCalled()
    first.end('kept')
    expect((await kept.response(1)).stdout).toMatch(/kept$/)
    await kept.end()
    await closed
    expect(onClose).toHaveBeenCalledOnce()
  })

  test('aborts requests after drainTimeout, with a 503 or a truncated response', async () => {
    const app = new App()
    const serving = await listen(app.handler, { drainTimeout: 1 }, transport)
    const [silent, begun, partial] = [
      await serving.connect(),
      await serving.connect(),
      await serving.connect(),
    ]
    silent.get(1, {}, { keepConn: true })
    const one = await app.next()
    begun.get(1, {}, { keepConn: true })
    const two = await app.next()
    two.write('half a response')
    await begun.stdout(1, 'half a response')
    const read = once(serving.sockets[2]!, 'data')
    partial.begin(1, { keepConn: true })
    await read
    const aborted = Promise.all([once(one.signal, 'abort'), once(two.signal, 'abort')])
    const closed = serving.server.close()
    await aborted
    expect(one.signal.reason).toMatchObject({ code: 'FCGI_ERR_SHUTDOWN' })
    expect((await silent.response(1)).stdout).toMatch(/^Status: 503 Service Unavailable\r\n/)
    expect((await partial.response(1)).stdout).toMatch(/^Status: 503 /)
    await begun.end()
    expect(begun.records.some(({ type }) => type === TYPES.END_REQUEST)).toBe(false)
    expect(begun.invalidRecord).toBe(transport === 'unix')
    await closed
  })
})

test('a second call of close() returns the same promise', async () => {
  const { server } = await listen(echo)
  expect(server.close()).toBe(server.close())
  await server.close()
  await server[Symbol.asyncDispose]()
})

test('a server that never listened can be closed', async () => {
  const server = createServer(echo)
  await server.close()
  await expect(server.listen({ port: 0 })).rejects.toThrow('The server has been closed. Create a new one.')
})

test('a listener that begins to listen while the server closes is closed', async () => {
  const server = createServer(echo)
  const listening = server.listen({ port: 0 })
  const closed = server.close()
  await expect(listening).rejects.toThrow('The server has been closed')
  await closed
  expect(server.address()).toBeNull()
})

test('a closed server destroys a stream that is passed to acceptStream', async () => {
  const server = createServer(echo)
  await server.close()
  const [stream] = duplexPair()
  server.acceptStream(stream)
  expect(stream.destroyed).toBe(true)
})

test('a server is an AsyncDisposable', async () => {
  let address: { port: number }
  {
    await using server = createServer(echo)
    await server.listen({ port: 0 })
    address = server.address() as { port: number }
  }
  await expect(Peer.connect(address)).rejects.toThrow('ECONNREFUSED')
})

test('a request that is in the socket when close() is called gets its response', async () => {
  const serving = await listen(echo)
  const peers = [await serving.connect(), await serving.connect()]
  // Both requests have been written, but not read.
  for (const socket of serving.sockets) socket.pause()
  for (const peer of peers) peer.get(1, {}, { keepConn: true })
  await Promise.all(peers.map((peer) => new Promise((resolve) => peer.socket.write('', resolve))))
  for (const socket of serving.sockets) socket.resume()
  const closed = serving.server.close()
  for (const peer of peers) expect((await peer.response(1)).stdout).toMatch(/GET \/ $/)
  await closed
})

test('a request that begins on a connection with other running requests gets its response, too', async () => {
  const app = new App()
  const { peer, server } = await connected(app.handler)
  peer.get(1, {}, { keepConn: true })
  const first = await app.next()
  const closed = server.close()
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  peer.get(2, {}, { keepConn: true })
  const second = await app.next()
  first.end('first')
  await peer.response(1)
  second.end('second')
  expect((await peer.response(2)).stdout).toMatch(/second$/)
  await closed
})

describe('a peer that does not close its write side', () => {
  test('does not delay close() if it is idle', async () => {
    const { peer, server } = await connected(echo, { drainTimeout: 1_000_000 })
    peer.get(1, {}, { keepConn: true })
    await peer.response(1)
    await server.close()
    await peer.end()
    expect(peer.closed).toBe(false)
  })

  test('does not delay close() if it received its response before', async () => {
    const { peer, server } = await connected((exchange) => exchange.end('early'), { drainTimeout: 1_000_000 })
    peer.post(1, { CONTENT_LENGTH: '1000' })
    await peer.end()
    await server.close()
  })

  test('does not delay close() if it receives its response meanwhile', async () => {
    const app = new App()
    const { peer, server } = await connected(app.handler, { drainTimeout: 1_000_000 })
    peer.post(1, { CONTENT_LENGTH: '1000' })
    const exchange = await app.next()
    const closed = server.close()
    await new Promise(setImmediate)
    exchange.end('response')
    expect((await peer.response(1)).stdout).toMatch(/response$/)
    await closed
  })

  test('receives the whole of a large response, as long as it reads', async () => {
    const response = Buffer.alloc(16 * 1024 * 1024, 'a')
    const app = new App()
    const { peer, server } = await connected(app.handler, { drainTimeout: 1_000_000 })
    peer.socket.pause()
    peer.get(1)
    ;(await app.next()).end(response)
    const closed = server.close()
    await new Promise(setImmediate)
    await new Promise(setImmediate)
    stopClock('setTimeout')
    vi.advanceTimersByTime(10_000)
    vi.useRealTimers()
    peer.socket.resume()
    expect((await peer.response(1)).stdout).toHaveLength(response.length + 'Status: 200 OK\r\n\r\n'.length)
    await closed
  })

  test('can send more input, so that a reset does not destroy its response', async () => {
    const app = new App()
    const { peer, server, sockets } = await connected(app.handler, { drainTimeout: 1_000_000 })
    peer.post(1, { CONTENT_LENGTH: '100000000' })
    const exchange = await app.next()
    const closed = server.close()
    stopClock('setTimeout')
    exchange.end('early')
    await peer.end()
    for (let i = 0; i < 20; i++) {
      vi.advanceTimersByTime(200)
      const read = once(sockets[0]!, 'data')
      peer.stdin(1, Buffer.alloc(100_000))
      await read
    }
    peer.halfClose()
    await Promise.all([peer.close(), closed])
    expect(peer.error).toBeUndefined()
    expect((await answerOf(peer)).stdout).toMatch(/early$/)
  })

  async function answerOf(peer: Peer): Promise<{ stdout: string }> {
    return { stdout: peer.text(TYPES.STDOUT, 1) }
  }

  test('is disconnected after drainTimeout, but receives its response', async () => {
    const app = new App()
    const { peer, server } = await connected(app.handler, { drainTimeout: 300 })
    peer.post(1, { CONTENT_LENGTH: '100000000' })
    const exchange = await app.next()
    const closed = server.close()
    exchange.end('early')
    const send = setInterval(() => peer.stdin(1, Buffer.alloc(1000)), 5)
    await closed.finally(() => clearInterval(send))
    expect(peer.text(TYPES.STDOUT, 1)).toMatch(/early$/)
  })
})

test('a pending END_REQUEST is sent after drainTimeout', async () => {
  const { peer, server } = await connected((exchange) => exchange.end('early'), { drainTimeout: 50 })
  peer.post(1, { CONTENT_LENGTH: '100000' }, { keepConn: true })
  await peer.stdout(1, 'early')
  const trickle = setInterval(() => peer.stdin(1, 'x'), 5)
  await Promise.all([peer.response(1), server.close()]).finally(() => clearInterval(trickle))
})

describe('waitUntil', () => {
  test('makes close() wait for the promise, and for promises that are added meanwhile', async () => {
    const { server } = await listen(echo)
    const [first, second] = [deferred(), deferred()]
    server.waitUntil(first.promise.then(() => server.waitUntil(second.promise)))
    const order: string[] = []
    const closed = server.close().then(() => order.push('closed'))
    first.resolve()
    await first.promise
    await new Promise(setImmediate)
    order.push('second')
    second.resolve()
    await closed
    expect(order).toEqual(['second', 'closed'])
  })

  test('accepts a promise that rejects', async () => {
    const { server } = await listen(echo)
    const { promise, reject } = deferred()
    server.waitUntil(promise)
    const closed = server.close()
    reject(new Error('in the background'))
    await closed
  })

  test('does not make close() wait longer than drainTimeout', async () => {
    const { server } = await listen(echo, { drainTimeout: 1 })
    server.waitUntil(new Promise(() => {}))
    await server.close()
  })
})

test('acceptStream serves any byte stream', async () => {
  const server = createServer(echo)
  const peer = joined(server)
  peer.post(1, { CONTENT_LENGTH: '4' }, { keepConn: true }).stdin(1, 'body').endStdin(1)
  expect((await peer.response(1)).stdout).toMatch(/POST \/ body$/)
  peer.write(begin(2), params(2), record(TYPES.STDIN, 2))
  expect((await peer.response(2)).stdout).toMatch(/GET \/ $/)
  await peer.end()
  peer.halfClose()
  await server.close()
})

test('acceptStream supports large bodies in both directions, and truncated responses', async () => {
  const app = new App()
  const server = createServer(app.handler)
  const peer = joined(server)
  const body = Buffer.alloc(3_000_000, 'b')
  peer
    .post(1, { CONTENT_LENGTH: String(body.length) }, { keepConn: true })
    .stdin(1, body)
    .endStdin(1)
  const exchange = await app.next()
  exchange.end(await readAll(exchange.stdin))
  expect((await peer.response(1)).stdout).toHaveLength(body.length + 'Status: 200 OK\r\n\r\n'.length)
  peer.get(2, {}, { keepConn: true })
  const second = await app.next()
  second.write('begun')
  await peer.stdout(2, 'begun')
  second.fail(new Error('cut'))
  await peer.until(() => peer.invalidRecord)
  peer.halfClose()
  await server.close()
})

test('close() settles even if nothing else keeps the process alive', async () => {
  const core = JSON.stringify(new URL('../../dist/index.js', import.meta.url))
  const program = `import { duplexPair } from 'node:stream'
import { text } from 'node:stream/consumers'
    import { createServer, encodeBeginRequest } from ${core}
    const server = createServer(() => {}, { drainTimeout: 1 })
    const [front, app] = duplexPair()
    server.acceptStream(app)
    front.write(encodeBeginRequest(1, 1, 1))
    await new Promise(setImmediate)
    await server.close()
    console.log('closed')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program])
  expect(await text(child.stdout)).toBe('closed\n')
})
