import { once } from 'node:events'
import { GET, record, TYPES } from '@fcgi-bridge/testing'
import { describe, expect, test, vi } from 'vitest'
import { App, abortion, closed, connected, readAll, stopClock } from '../testing/serving.ts'

/** Lets so many seconds pass for the server. */
function pass(seconds: number): void {
  vi.advanceTimersByTime(seconds * 1000)
}

describe('paramsTimeout', () => {
  test.each([
    ['BEGIN_REQUEST alone', ''],
    ['half of PARAMS', 'half'],
  ])('%s: 408, and the app is never called', async (_, some) => {
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

  test('params that are held up by an unread body are no slow ones', async () => {
    stopClock('setInterval')
    const app = new App()
    const { peer, sockets } = await connected(app.handler, { paramsTimeout: 5000 })
    peer.post(1, { CONTENT_LENGTH: '3000000' }, { keepConn: true })
    const sibling = await app.next()
    peer.begin(2, { keepConn: true }).stdin(1, Buffer.alloc(3_000_000)).params(2, GET).endStdin(2)
    if (!sockets[0]!.isPaused()) await once(sockets[0]!, 'pause')
    pass(100)
    sibling.stdin.discard()
    ;(await app.next()).end('answer')
    expect((await peer.response(2)).stdout).toMatch(/answer$/)
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

  test('nothing of a body comes that somebody waits for: 408, and an abort', async () => {
    const { peer, exchange } = await waiting()
    const body = expect(readAll(exchange.stdin)).rejects
    const aborted = abortion(exchange)
    pass(7)
    await body.toMatchObject({ code: 'FCGI_ERR_TIMEOUT' })
    expect(await aborted).toMatchObject({ code: 'FCGI_ERR_TIMEOUT', name: 'AbortError' })
    peer.endStdin(1)
    expect((await peer.response(1)).stdout).toMatch(/^Status: 408 /)
  })

  test('the answer has begun: it is cut', async () => {
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

  test('each piece starts it again', async () => {
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

  test("a body that nobody waits for is in nobody's way", async () => {
    const { peer, exchange } = await waiting()
    pass(100)
    exchange.end('fine')
    peer.endStdin(1)
    expect((await peer.response(1)).stdout).toMatch(/fine$/)
  })

  test('an app that reads late is no slow sender', async () => {
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

  test('a body that is held up by its unread sibling is no slow one', async () => {
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

  test("a filter's file counts too", async () => {
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
  test('an app that does not answer: 504, and what it does later is dropped', async () => {
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
    // The connection is none the worse for it.
    peer.forget().get(1)
    ;(await app.next()).end('next')
    expect((await peer.response(1)).stdout).toMatch(/next$/)
  })

  test('an answer that has begun is cut; its siblings go on', async () => {
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

  test('0 is none', async () => {
    stopClock('setInterval')
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.get(1)
    const exchange = await app.next()
    pass(100_000)
    exchange.end('patience')
    expect((await peer.response(1)).stdout).toMatch(/patience$/)
  })
})

describe('idleTimeout', () => {
  test('a kept connection without a request is closed', async () => {
    stopClock('setInterval')
    const app = new App()
    const { peer } = await connected(app.handler, { idleTimeout: 60_000 })
    peer.get(1, {}, { keepConn: true })
    const exchange = await app.next()
    // A request that runs is not idle.
    pass(1000)
    exchange.end()
    await peer.response(1)
    pass(60)
    expect(peer.ended).toBe(false)
    pass(2)
    await peer.end()
    expect(peer.error).toBeUndefined()
  })

  test('so is one on which nothing was ever asked', async () => {
    stopClock('setInterval')
    const { peer } = await connected(() => {}, { idleTimeout: 60_000 })
    pass(62)
    await peer.end()
  })

  test('one that is idle leaves one that lingers to its own time', async () => {
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
  test('a front server takes nothing of an answer: aborted, and the connection is closed', async () => {
    stopClock('setInterval')
    const app = new App()
    const { peer, sockets } = await connected(app.handler, { writeTimeout: 5000 })
    peer.socket.pause()
    peer.get(1)
    const exchange = await app.next()
    const aborted = abortion(exchange)
    exchange.write(Buffer.alloc(16 * 1024 * 1024))
    pass(5)
    // What the app writes meanwhile is no progress.
    exchange.write('more')
    expect(exchange.aborted).toBe(false)
    pass(2)
    expect(await aborted).toMatchObject({ code: 'FCGI_ERR_TIMEOUT', name: 'AbortError' })
    await closed(sockets[0]!)
  })

  test('so it is behind an answer that was ended', async () => {
    stopClock('setInterval')
    const app = new App()
    const { peer, sockets } = await connected(app.handler, { writeTimeout: 5000 })
    peer.socket.pause()
    peer.get(1)
    ;(await app.next()).end(Buffer.alloc(16 * 1024 * 1024))
    pass(7)
    await closed(sockets[0]!)
  })

  test('a front server that takes little at a time gets all of it', async () => {
    stopClock('setInterval')
    const app = new App()
    // Here the operating system holds a few reads' worth.
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
