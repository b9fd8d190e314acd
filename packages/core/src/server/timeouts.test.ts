import { once } from 'node:events'
import { GET, record, TYPES } from '@fcgi-bridge/testing'
import { describe, expect, test, vi } from 'vitest'
import { App, abortion, closed, connected, readAll, stopClock } from '../testing/serving.ts'

/** Advances the server's fake clock. */
function pass(seconds: number): void {
  vi.advanceTimersByTime(seconds * 1000)
}

describe('paramsTimeout', () => {
  test.each([
    ['BEGIN_REQUEST alone', ''],
    ['half of PARAMS', 'half'],
  ])('after %s the request gets a 408, and the app is never called', async (_, some) => {
    stopClock('setInterval')
    const app = new App()
    const { peer, sockets } = await connected(app.handler, { paramsTimeout: 5000 })
    const read = once(sockets[0]!, 'data')
    peer.write(
      record(TYPES.BEGIN_REQUEST, 1, [0, 1, 0, 0, 0, 0, 0, 0]),
      some && record(TYPES.PARAMS, 1, some),
    )
    await read
    pass(5)
    expect(peer.records).toEqual([])
    pass(2)
    expect((await peer.response(1)).stdout).toMatch(/^Status: 408 Request Timeout\r\n/)
    await peer.end()
    expect(app.exchanges).toEqual([])
  })

  test('does not include the time while an unread body blocks the params', async () => {
    stopClock('setInterval')
    const app = new App()
    const { peer, sockets } = await connected(app.handler, { paramsTimeout: 5000 })
    peer.post(1, { CONTENT_LENGTH: '3000000' }, { keepConn: true })
    const sibling = await app.next()
    peer.begin(2, { keepConn: true }).stdin(1, Buffer.alloc(3_000_000)).params(2, GET).endStdin(2)
    if (!sockets[0]!.isPaused()) await once(sockets[0]!, 'pause')
    pass(100)
    sibling.stdin.discard()
    ;(await app.next()).end('response')
    expect((await peer.response(2)).stdout).toMatch(/response$/)
  })
})

describe('bodyTimeout', () => {
  async function waiting(keepConn = true) {
    stopClock('setInterval')
    const app = new App()
    const serving = await connected(app.handler, { bodyTimeout: 5000 })
    serving.peer.post(1, { CONTENT_LENGTH: '10' }, { keepConn })
    const exchange = await app.next()
    return { ...serving, exchange, app }
  }

  test('aborts the exchange with a 408 if the app waits for the body and nothing arrives', async () => {
    const { peer, exchange } = await waiting()
    const body = expect(readAll(exchange.stdin)).rejects
    const aborted = abortion(exchange)
    pass(7)
    await body.toMatchObject({ code: 'FCGI_ERR_TIMEOUT' })
    expect(await aborted).toMatchObject({ code: 'FCGI_ERR_TIMEOUT', name: 'AbortError' })
    peer.endStdin(1)
    expect((await peer.response(1)).stdout).toMatch(/^Status: 408 /)
  })

  test('truncates a response that has begun', async () => {
    const { peer, sockets, exchange } = await waiting()
    const reset = vi.spyOn(sockets[0]!, 'resetAndDestroy')
    exchange.stdin.onReadable = () => {}
    exchange.write('begun')
    await peer.stdout(1, 'begun')
    pass(7)
    await peer.end()
    expect(reset).toHaveBeenCalledOnce()
    expect(exchange.aborted).toBe(true)
  })

  test('starts again with each piece', async () => {
    const { peer, sockets, exchange } = await waiting()
    const body = readAll(exchange.stdin)
    for (let i = 0; i < 10; i++) {
      pass(4)
      const read = once(sockets[0]!, 'data')
      peer.stdin(1, 'x')
      await read
    }
    exchange.end(await body)
    peer.endStdin(1)
    expect((await peer.response(1)).stdout).toMatch(/x{10}$/)
  })

  test('does not apply while the app does not wait for the body', async () => {
    const { peer, exchange } = await waiting()
    pass(100)
    exchange.end('fine')
    peer.endStdin(1)
    expect((await peer.response(1)).stdout).toMatch(/fine$/)
  })

  test('does not include the time before the app reads', async () => {
    const { peer, sockets, exchange } = await waiting()
    const read = once(sockets[0]!, 'data')
    peer.stdin(1, 'half ')
    await read
    exchange.stdin.onReadable = () => {}
    pass(100)
    exchange.stdin.read()
    pass(4)
    expect(exchange.aborted).toBe(false)
    pass(3)
    expect(exchange.aborted).toBe(true)
  })

  test('does not include the time while the unread body of another request blocks this one', async () => {
    const { peer, sockets, exchange, app } = await waiting()
    const body = readAll(exchange.stdin)
    peer.post(2, { CONTENT_LENGTH: '3000000' }, { keepConn: true })
    const sibling = await app.next()
    peer.stdin(2, Buffer.alloc(3_000_000))
    if (!sockets[0]!.isPaused()) await once(sockets[0]!, 'pause')
    peer.stdin(1, '0123456789').endStdin(1)
    pass(100)
    expect(exchange.aborted).toBe(false)
    sibling.stdin.discard()
    exchange.end(await body)
    expect((await peer.response(1)).stdout).toMatch(/0123456789$/)
  })

  test('also applies to the file of a filter', async () => {
    stopClock('setInterval')
    const app = new App()
    const { peer } = await connected({ filter: app.handler }, { bodyTimeout: 5000 })
    peer.begin(1, { role: 3 }).params(1).endStdin(1)
    const exchange = await app.next()
    const data = expect(readAll(exchange.data)).rejects
    pass(7)
    await data.toMatchObject({ code: 'FCGI_ERR_TIMEOUT' })
    expect((await peer.response(1)).stdout).toMatch(/^Status: 408 /)
  })
})

describe('requestTimeout', () => {
  test('aborts the exchange with a 504 if the app does not respond, and drops later output', async () => {
    stopClock('setInterval')
    const app = new App()
    const { peer, errors } = await connected(app.handler, { requestTimeout: 3000 })
    peer.get(1, {}, { keepConn: true })
    const exchange = await app.next()
    const aborted = once(exchange.signal, 'abort')
    pass(3)
    expect(exchange.aborted).toBe(false)
    pass(2)
    await aborted
    expect(exchange.signal.reason).toMatchObject({ code: 'FCGI_ERR_TIMEOUT' })
    exchange.writeHead(200)
    exchange.end('late')
    expect(await peer.response(1)).toMatchObject({
      protocolStatus: 0,
      stdout: expect.stringMatching(/^Status: 504 /),
    })
    expect(errors).toEqual([])
    // The connection can be reused.
    peer.forget().get(1)
    ;(await app.next()).end('next')
    expect((await peer.response(1)).stdout).toMatch(/next$/)
  })

  test('truncates a response that has begun, and other requests of the connection continue', async () => {
    stopClock('setInterval')
    const app = new App()
    const { peer } = await connected(app.handler, { requestTimeout: 3000 })
    peer.get(1, {}, { keepConn: true })
    const slow = await app.next()
    slow.write('begun')
    pass(3)
    peer.get(2, {}, { keepConn: true })
    const sibling = await app.next()
    pass(2)
    expect(await peer.response(1)).toMatchObject({ appStatus: 1 })
    sibling.end('fine')
    expect((await peer.response(2)).stdout).toMatch(/fine$/)
  })

  test('is off if it is 0', async () => {
    stopClock('setInterval')
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.get(1)
    const exchange = await app.next()
    pass(100_000)
    exchange.end('late')
    expect((await peer.response(1)).stdout).toMatch(/late$/)
  })
})

describe('idleTimeout', () => {
  test('closes a keep-alive connection without a request', async () => {
    stopClock('setInterval')
    const app = new App()
    const { peer } = await connected(app.handler, { idleTimeout: 60_000 })
    peer.get(1, {}, { keepConn: true })
    const exchange = await app.next()
    // A connection with a running request is not idle.
    pass(1000)
    exchange.end()
    await peer.response(1)
    pass(60)
    expect(peer.ended).toBe(false)
    pass(2)
    await peer.end()
    expect(peer.error).toBeUndefined()
  })

  test('closes a connection that never had a request', async () => {
    stopClock('setInterval')
    const { peer } = await connected(() => {}, { idleTimeout: 60_000 })
    pass(62)
    await peer.end()
  })

  test('does not apply to a connection in state lingering', async () => {
    stopClock('setInterval')
    const { peer, sockets } = await connected((exchange) => exchange.end('early'), { idleTimeout: 1000 })
    peer.post(1, { CONTENT_LENGTH: '1000' })
    await peer.end()
    pass(100)
    expect(sockets[0]!.destroyed).toBe(false)
    peer.stdin(1, Buffer.alloc(1000)).endStdin(1).halfClose()
    await peer.close()
    expect(peer.error).toBeUndefined()
  })
})

describe('writeTimeout', () => {
  test('aborts the exchange and closes the connection if the front server reads nothing of the response', async () => {
    stopClock('setInterval')
    const app = new App()
    const { peer, sockets } = await connected(app.handler, { writeTimeout: 5000 })
    peer.socket.pause()
    peer.get(1)
    const exchange = await app.next()
    const aborted = abortion(exchange)
    exchange.write(Buffer.alloc(16 * 1024 * 1024))
    pass(5)
    // More output of the app does not count as progress.
    exchange.write('more')
    expect(exchange.aborted).toBe(false)
    pass(2)
    expect(await aborted).toMatchObject({ code: 'FCGI_ERR_TIMEOUT', name: 'AbortError' })
    await closed(sockets[0]!)
  })

  test('closes the connection if the response has ended and the front server does not read it', async () => {
    stopClock('setInterval')
    const app = new App()
    const { peer, sockets } = await connected(app.handler, { writeTimeout: 5000 })
    peer.socket.pause()
    peer.get(1)
    ;(await app.next()).end(Buffer.alloc(16 * 1024 * 1024))
    pass(7)
    await closed(sockets[0]!)
  })

  test('does not affect a front server that reads slowly', async () => {
    stopClock('setInterval')
    const app = new App()
    // The buffer of a Unix socket holds only a few reads.
    const { peer } = await connected(app.handler, { writeTimeout: 30_000 }, 'unix')
    const length = 8 * 1024 * 1024
    peer.get(1)
    ;(await app.next()).end(Buffer.alloc(length))
    while (peer.content(TYPES.STDOUT, 1).length < length) {
      const { reads } = peer
      peer.socket.resume()
      await peer.until(() => peer.reads > reads)
      peer.socket.pause()
      pass(1)
    }
    expect(peer.reads).toBeGreaterThan(60)
    peer.socket.resume()
    await peer.response(1)
  })
})
