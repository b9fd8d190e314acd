// Tests the server's behavior on the wire. Each one prevents a failure of a real front server.

import { once } from 'node:events'
import {
  begin,
  GET,
  type Peer,
  POST,
  pair,
  pairs,
  params,
  record,
  TYPES,
  type WireRecord,
} from '@fcgi-bridge/testing'
import { describe, expect, test, vi } from 'vitest'
import type { Exchange, Handler } from '../exchange/exchange.ts'
import {
  App,
  closed,
  connected,
  echo,
  joined,
  listen,
  readAll,
  stopClock,
  TRANSPORTS,
} from '../testing/serving.ts'

const MEGABYTE = 1024 * 1024
const AUTHORIZER = 2

/** Writes `bytes` bytes in pieces, and respects back-pressure. */
function writeSlowly(exchange: Exchange, bytes: number): void {
  const piece = Buffer.alloc(64 * 1024, 'response ')
  let left = bytes
  const write = (): void => {
    while (left > 0) {
      left -= piece.length
      if (!exchange.write(piece) && left > 0) return
    }
    exchange.end()
  }
  exchange.onDrain = write
  write()
}

/** Sends a whole request body without reading anything, as mod_fcgid and Caddy do. */
async function sendWithoutReading(peer: Peer, id: number, bytes: number): Promise<void> {
  peer.socket.pause()
  for (let left = bytes; left > 0; left -= MEGABYTE) {
    peer.stdin(id, Buffer.alloc(Math.min(left, MEGABYTE), 'upload'))
    await peer.flushed()
  }
  peer.endStdin(id)
  await peer.flushed()
  peer.socket.resume()
}

describe('a small response is sent in one write', () => {
  test.each<[string, Handler]>([
    [
      'head and body in one tick',
      (exchange) => {
        exchange.writeHead(200, ['Content-Type', 'text/plain'])
        exchange.end('hello')
      },
    ],
    ['a body without writeHead', (exchange) => exchange.end('hello')],
    [
      'no body',
      (exchange) => {
        exchange.writeHead(304)
        exchange.end()
      },
    ],
    ['in a later tick', (exchange) => void setImmediate(() => exchange.end('hello'))],
    ['a body of 16,000 bytes', (exchange) => exchange.end(Buffer.alloc(16_000))],
  ])('%s', async (_, handler) => {
    const { peer, sockets } = await connected(handler)
    const write = vi.spyOn(sockets[0]!, 'write')
    peer.get(1, {}, { keepConn: true })
    await peer.response(1)
    expect(write).toHaveBeenCalledTimes(1)
    expect(peer.reads).toBe(1)
  })

  test('the responses to requests of one read share one write', async () => {
    const { peer } = await connected((exchange) => exchange.end('hello'))
    peer.write(
      ...[1, 2, 3].flatMap((id) => [begin(id, { keepConn: true }), params(id), record(TYPES.STDIN, id)]),
    )
    await Promise.all([1, 2, 3].map((id) => peer.response(id)))
    expect(peer.reads).toBe(1)
  })
})

test.each([0, 10, 20_000, 200_000])(
  'the whole head is in the first STDOUT record, before a body of %i bytes',
  async (size) => {
    const { peer } = await connected((exchange) => {
      exchange.writeHead(200, ['X-Long', 'x'.repeat(30_000)])
      exchange.end(Buffer.alloc(size, 'b'))
    })
    peer.get(1)
    await peer.response(1)
    const [first] = peer.records.filter(({ type }) => type === TYPES.STDOUT)
    expect(first!.content.toString('latin1')).toMatch(/^Status: 200 OK\r\nX-Long: x{30000}\r\n\r\nb*$/)
  },
)

test('the head is sent with the first byte of the body, or by flush()', async () => {
  const app = new App()
  const { peer } = await connected(app.handler)
  peer.get(1)
  const exchange = await app.next()
  exchange.writeHead(200)
  exchange.stderr.write('log')
  await peer.next(TYPES.STDERR, 1)
  expect(peer.content(TYPES.STDOUT, 1)).toHaveLength(0)
  exchange.flush()
  await peer.stdout(1, '\r\n\r\n')
  exchange.end()
})

// nginx does not forward a head that ends in padding until the next byte arrives.
test.each(Array.from({ length: 8 }, (_, length) => 'x'.repeat(length)))(
  'a head that is sent before the body has no padding: X-Pad: %s',
  async (value) => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.get(1)
    peer.get(2)
    const [flushed, written] = [await app.next(), await app.next()]
    flushed.writeHead(200, ['X-Pad', value])
    flushed.flush()
    written.writeHead(200, ['X-Pad', value])
    written.write('', () => {})
    for (const exchange of [flushed, written]) {
      const id = exchange.requestId
      await peer.stdout(id, '\r\n\r\n')
      const [head] = peer.records.filter((record) => record.type === TYPES.STDOUT && record.id === id)
      expect(head!.padding).toHaveLength(0)
      exchange.end('body')
      await peer.response(id)
      expect(peer.content(TYPES.STDOUT, id).toString()).toBe(`Status: 200 OK\r\nX-Pad: ${value}\r\n\r\nbody`)
    }
  },
)

// HAProxy 2.6 crashes on others.
test('STDERR records have padding, and at most 8000 bytes', async () => {
  const { peer } = await connected((exchange) => {
    for (const size of [1, 7, 8, 16, 7999, 8000, 8001, 100_000]) exchange.stderr.write('e'.repeat(size))
    exchange.end()
  })
  peer.get(1)
  await peer.response(1)
  const records = peer.records.filter(({ type }) => type === TYPES.STDERR)
  expect(records.length).toBeGreaterThan(8)
  for (const { content, padding } of records) {
    expect(content.length).toBeLessThanOrEqual(8000)
    expect(padding.length).toBeGreaterThan(0)
  }
})

describe.each(TRANSPORTS)('the server reads while it writes, over %s', (transport) => {
  test.each([
    ['kept open', true],
    ['closed', false],
  ])(
    'a long response is sent while a long request body is unread, with the connection %s',
    async (_, keepConn) => {
      const { peer } = await connected((exchange) => writeSlowly(exchange, 4 * MEGABYTE), {}, transport)
      peer.post(1, { CONTENT_LENGTH: String(10 * MEGABYTE) }, { keepConn })
      await sendWithoutReading(peer, 1, 10 * MEGABYTE)
      const { stdout } = await peer.response(1)
      expect(stdout).toHaveLength(4 * MEGABYTE + 'Status: 200 OK\r\n\r\n'.length)
      expect(peer.error).toBeUndefined()
      if (!keepConn) await peer.end()
      else await peer.forget().get(1).response(1)
    },
  )
})

describe('a response that ends before the request body', () => {
  test('is sent with END_REQUEST, then the write side is closed, and the rest of STDIN is read and dropped', async () => {
    const { peer, sockets } = await connected((exchange) => exchange.end('early'))
    peer.post(1, { CONTENT_LENGTH: String(10 * MEGABYTE) })
    await peer.end()
    expect(peer.records.at(-1)!.type).toBe(TYPES.END_REQUEST)
    const socket = sockets[0]!
    expect(socket.destroyed).toBe(false)
    for (let i = 0; i < 10; i++) {
      peer.stdin(1, Buffer.alloc(MEGABYTE))
      await peer.flushed()
    }
    peer.halfClose()
    await Promise.all([peer.close(), closed(socket)])
    expect(peer.error).toBeUndefined()
    expect(socket.bytesRead).toBeGreaterThan(10 * MEGABYTE)
  })

  test('input is dropped no longer than lingerTimeout', async () => {
    const { peer, sockets } = await connected((exchange) => exchange.end('early'), { lingerTimeout: 10 })
    peer.post(1, { CONTENT_LENGTH: '1000' })
    await peer.end()
    await closed(sockets[0]!)
  })

  test('no more than lingerBytes of input are dropped', async () => {
    const { peer, sockets } = await connected((exchange) => exchange.end('early'), { lingerBytes: 1000 })
    peer.post(1, { CONTENT_LENGTH: '100000' })
    await peer.end()
    peer.stdin(1, Buffer.alloc(100_000))
    await closed(sockets[0]!)
    expect((await peer.response(1)).stdout).toMatch(/early$/)
  })

  test('a slow peer can read a large response to its end, even if lingerTimeout is short', async () => {
    const { peer, sockets } = await connected((exchange) => exchange.end(Buffer.alloc(8 * MEGABYTE)), {
      lingerTimeout: 1,
    })
    peer.socket.pause()
    peer.get(1)
    await once(sockets[0]!, 'data')
    stopClock('setTimeout')
    // The handler is called after this read. Its response is larger than the socket buffers.
    await new Promise(setImmediate)
    vi.advanceTimersByTime(60_000)
    expect(sockets[0]!.destroyed).toBe(false)
    peer.socket.resume()
    expect((await peer.response(1)).stdout).toHaveLength(8 * MEGABYTE + 'Status: 200 OK\r\n\r\n'.length)
  })
})

const isEnd = ({ type }: WireRecord): boolean => type === TYPES.END_REQUEST
const isStdoutEnd = ({ type, content }: WireRecord): boolean => type === TYPES.STDOUT && content.length === 0

// H2O crashes if END_REQUEST arrives before it has sent the whole request body.
describe('with KEEP_CONN, END_REQUEST is held until STDIN ends', () => {
  test('and is sent then', async () => {
    // The pieces may arrive slowly.
    stopClock('setTimeout')
    const { peer } = await connected((exchange) => exchange.end('early'))
    peer.post(1, { CONTENT_LENGTH: '300' }, { keepConn: true })
    await peer.until(() => peer.records.find(isStdoutEnd))
    for (let i = 0; i < 3; i++) {
      peer.stdin(1, Buffer.alloc(100)).write(record(TYPES.GET_VALUES, 0))
      await peer.next(TYPES.GET_VALUES_RESULT, 0)
      expect(peer.records.some(isEnd)).toBe(false)
    }
    peer.endStdin(1)
    await peer.response(1)
  })

  test('or the front server pauses, as nginx does after it has received the response head', async () => {
    const { peer } = await connected((exchange) => exchange.end('early'))
    peer.post(1, { CONTENT_LENGTH: '300' }, { keepConn: true })
    await peer.response(1)
    expect(peer.ended).toBe(false)
  })

  test('or the front server sends more than lingerBytes, and the connection is then closed', async () => {
    stopClock('setTimeout')
    const { peer } = await connected((exchange) => exchange.end('early'), { lingerBytes: 1000 })
    peer.post(1, { CONTENT_LENGTH: '1000000' }, { keepConn: true })
    await peer.until(() => peer.records.find(isStdoutEnd))
    peer.stdin(1, Buffer.alloc(2000))
    await peer.response(1)
    await peer.end()
  })

  test('or the front server sends for longer than lingerTimeout', async () => {
    // It does not pause.
    stopClock('setTimeout')
    const { peer } = await connected((exchange) => exchange.end('early'), { lingerTimeout: 50 })
    peer.post(1, { CONTENT_LENGTH: '1000000' }, { keepConn: true })
    await peer.until(() => peer.records.find(isStdoutEnd))
    const trickle = setInterval(() => peer.stdin(1, 'x'), 10)
    await peer.response(1).finally(() => clearInterval(trickle))
    await peer.end()
  })

  test('or the front server pauses STDIN of this request, although it sends STDIN of another', async () => {
    const { peer } = await connected((exchange) => exchange.end('early'))
    for (const id of [1, 2]) peer.post(id, { CONTENT_LENGTH: '1000000' }, { keepConn: true })
    const trickle = setInterval(() => peer.stdin(2, 'x'), 20)
    await peer.response(1).finally(() => clearInterval(trickle))
    expect(peer.recordsOf(2).map(({ type }) => type)).not.toContain(TYPES.END_REQUEST)
    await peer.response(2)
  })

  test('or the front server closes its write side', async () => {
    stopClock('setTimeout')
    const { peer } = await connected((exchange) => exchange.end('early'))
    peer.post(1, { CONTENT_LENGTH: '300' }, { keepConn: true })
    await peer.until(() => peer.records.find(isStdoutEnd))
    peer.stdin(1, 'some').halfClose()
    await peer.response(1)
    await peer.close()
    expect(peer.error).toBeUndefined()
  })
})

// If END_REQUEST arrives without STDOUT, lighttpd grants access, mod_proxy_fcgi responds with an empty 200, and HAProxy waits forever.
describe('a refused request gets a whole response', () => {
  const BAD = record(TYPES.PARAMS, 1, pairs(Object.entries({ ...GET, HTTP_HOST: 'no/host' })))
  const END = record(TYPES.PARAMS, 1)

  test.each<[string, number, number, Parameters<typeof connected>[1], (peer: Peer) => void]>([
    [
      'params that cannot be decoded',
      400,
      0,
      {},
      (peer) => peer.begin(1).write(record(TYPES.PARAMS, 1, [9, 9, 9]), END),
    ],
    ['an invalid host', 400, 0, {}, (peer) => peer.begin(1).write(BAD, END)],
    ['an invalid CONTENT_LENGTH', 400, 0, {}, (peer) => peer.post(1, { CONTENT_LENGTH: '1,2' })],
    [
      'a body that is too large',
      413,
      0,
      { maxBodyBytes: 10 },
      (peer) => peer.post(1, { CONTENT_LENGTH: '11' }),
    ],
    ['too many bytes of params', 431, 0, { maxParamsBytes: 100 }, (peer) => peer.get(1)],
    ['too many params', 431, 0, { maxParamsCount: 3 }, (peer) => peer.get(1)],
    ['a role without handler', 500, 3, {}, (peer) => peer.get(1, {}, { role: AUTHORIZER })],
    ['a request beyond maxRequests', 503, 2, { maxRequests: 1 }, (peer) => peer.begin(9).get(1)],
    ['a second request without multiplexing', 503, 1, { multiplex: false }, (peer) => peer.begin(9).get(1)],
  ])('%s: %i with protocolStatus %i', async (_, status, protocolStatus, options, send) => {
    const app = new App()
    const { peer, errors } = await connected(app.handler, options)
    send(peer)
    const response = await peer.response(1)
    expect(response).toMatchObject({ protocolStatus, appStatus: 0 })
    if (status < 500) {
      // The front server's error log and onError receive the reason.
      const [{ code, message }] = errors as [{ code: string; message: string }]
      expect(errors).toHaveLength(1)
      expect(response.stderr).toBe(`Request refused with status ${status} (${code}): ${message}\n`)
      expect(peer.recordsOf(1)[0]!.type).toBe(TYPES.STDERR)
    } else {
      expect([response.stderr, errors]).toEqual(['', []])
    }
    expect(response.stdout).toMatch(
      new RegExp(`^Status: ${status} [\\w -]+\\r\\nContent-Type: text/plain[^]*\\r\\n\\r\\n`),
    )
    expect(peer.recordsOf(1).filter(isStdoutEnd)).toHaveLength(1)
    expect(app.exchanges).toEqual([])
  })

  test('without a body if the method is HEAD or not known yet', async () => {
    const { peer } = await connected(echo, { maxBodyBytes: 10 })
    peer.get(1, { REQUEST_METHOD: 'HEAD', CONTENT_LENGTH: '11' }, { keepConn: true })
    expect((await peer.response(1)).stdout).toMatch(/^Status: 413 .*\r\n\r\n$/s)
    peer.get(2, { REQUEST_METHOD: 'HEAD' }, { keepConn: true, role: 9 })
    expect((await peer.response(2)).stdout).toMatch(/^Status: 500 .*\r\n\r\n$/s)
    peer.get(3, { CONTENT_LENGTH: '11' })
    expect((await peer.response(3)).stdout).toMatch(/^Status: 413 .*\r\n\r\n413 .*\n$/s)
  })

  test('with Retry-After if the server is overloaded', async () => {
    const { peer } = await connected(echo, { maxRequests: 1 })
    peer.begin(9).get(1)
    expect((await peer.response(1)).stdout).toContain('\r\nRetry-After: 1\r\n')
  })
})

describe('an authorizer denies access if it fails', () => {
  const allow = (exchange: Exchange): void => {
    exchange.writeHead(200, ['Variable-USER', 'root'])
    exchange.write('welcome')
    exchange.flush()
  }

  test.each<[string, number, Handler]>([
    [
      'it throws',
      500,
      () => {
        throw new Error('database down')
      },
    ],
    ['it rejects', 500, () => Promise.reject(new Error('database down'))],
    [
      'it throws after it has set status 200',
      500,
      (exchange) => {
        allow(exchange)
        throw new Error('second thoughts')
      },
    ],
    [
      'it rejects after it has set status 200',
      500,
      async (exchange) => {
        allow(exchange)
        await new Promise(setImmediate)
        throw new Error('second thoughts')
      },
    ],
    [
      'it calls fail() later',
      500,
      (exchange) => {
        allow(exchange)
        setImmediate(() => exchange.fail(undefined))
      },
    ],
    ['it sets an invalid header', 500, (exchange) => exchange.writeHead(200, ['Variable-X', 'a\r\nb'])],
    [
      'one of its hooks throws',
      500,
      (exchange) => {
        allow(exchange)
        exchange.stdin.onReadable = undefined
        exchange.write('x', () => {
          throw new Error('in a callback')
        })
      },
    ],
  ])('%s: %i', async (_, status, authorizer) => {
    const { peer } = await connected({ authorizer })
    peer.begin(1, { role: AUTHORIZER }).params(1)
    const { stdout } = await peer.response(1)
    expect(stdout).toMatch(new RegExp(`^Status: ${status} `))
    expect(stdout).not.toContain('200')
    expect(stdout).not.toContain('Variable')
  })

  test('it exceeds requestTimeout', async () => {
    stopClock('setInterval')
    const app = new App()
    const { peer } = await connected({ authorizer: app.handler }, { requestTimeout: 1000 })
    peer.begin(1, { role: AUTHORIZER }).params(1)
    allow(await app.next())
    vi.advanceTimersByTime(3000)
    expect((await peer.response(1)).stdout).toMatch(/^Status: 504 /)
  })

  test('the server closes before it has ended its response', async () => {
    const app = new App()
    const { peer, server } = await connected({ authorizer: app.handler }, { drainTimeout: 1 })
    peer.begin(1, { role: AUTHORIZER, keepConn: true }).params(1)
    allow(await app.next())
    const closed = server.close()
    expect((await peer.response(1)).stdout).toMatch(/^Status: 503 /)
    await closed
  })

  test('its response is one write, including END_REQUEST', async () => {
    const { peer, sockets } = await connected({
      authorizer(exchange) {
        allow(exchange)
        exchange.write(' in')
        exchange.end('!')
      },
    })
    const write = vi.spyOn(sockets[0]!, 'write')
    peer.begin(1, { role: AUTHORIZER, keepConn: true }).params(1)
    expect((await peer.response(1)).stdout).toBe('Status: 200 OK\r\nVariable-USER: root\r\n\r\nwelcome in!')
    expect(write).toHaveBeenCalledTimes(1)
  })

  test.each([204, 304])('its response with status %i has no body, even if it wrote one', async (status) => {
    const { peer } = await connected({
      authorizer(exchange) {
        exchange.writeHead(status)
        exchange.write('body')
        exchange.end('body')
      },
    })
    peer.begin(1, { role: AUTHORIZER }).params(1)
    expect((await peer.response(1)).stdout).toMatch(/\r\n\r\n$/)
  })
})

// mod_fcgid sends such a record before an upload that it received over HTTP/2 without a length.
describe('an empty STDIN record before an announced body', () => {
  test('does not end the body', async () => {
    stopClock('setTimeout')
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.post(1, { CONTENT_LENGTH: '4' }).endStdin(1)
    const exchange = await app.next()
    const body = readAll(exchange.stdin)
    peer.write(record(TYPES.GET_VALUES, 0))
    await peer.next(TYPES.GET_VALUES_RESULT, 0)
    peer.stdin(1, 'body').endStdin(1)
    exchange.end(await body)
    expect((await peer.response(1)).stdout).toMatch(/\r\n\r\nbody$/)
  })

  test('ends the body if nothing follows in time, also if there are ten thousand of them', async () => {
    stopClock('setTimeout')
    const app = new App()
    const { peer, sockets } = await connected(app.handler)
    peer.post(1, { CONTENT_LENGTH: '4' }, { keepConn: true })
    const exchange = await app.next()
    const body = expect(readAll(exchange.stdin)).rejects
    peer.write(Buffer.concat(Array(10_000).fill(record(TYPES.STDIN, 1))), record(TYPES.GET_VALUES, 0))
    await peer.next(TYPES.GET_VALUES_RESULT, 0)
    expect(vi.getTimerCount()).toBe(1)
    vi.advanceTimersByTime(1000)
    await body.toMatchObject({ code: 'FCGI_ERR_BODY_LENGTH' })
    // END_REQUEST is no longer held for the body.
    exchange.end('response')
    await peer.response(1)
    expect(sockets[0]!.destroyed).toBe(false)
  })

  test('does not keep a timer running after the request has ended', async () => {
    stopClock('setTimeout')
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.post(1, { CONTENT_LENGTH: '4' }, { keepConn: true }).endStdin(1)
    await app.next()
    expect(vi.getTimerCount()).toBe(1)
    peer.abort(1)
    await peer.response(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('ends the body if the peer closes its write side, and the app can still respond', async () => {
    const { peer } = await connected(echo)
    peer.post(1, { CONTENT_LENGTH: '4' }).endStdin(1).halfClose()
    expect((await peer.response(1)).stdout).toMatch(/^Status: 400 /)
    await peer.close()
  })
})

test('a complete request gets its response although the peer then sends an invalid record and closes its write side', async () => {
  const app = new App()
  const { peer, protocolErrors, sockets } = await connected(app.handler)
  peer.get(1).write(record(TYPES.BEGIN_REQUEST, 2, 'x', 4))
  const exchange = await app.next()
  const read = once(sockets[0]!, 'end')
  peer.halfClose()
  await read
  expect(protocolErrors).toEqual(['FCGI_ERR_BODY_LENGTH'])
  exchange.end('response')
  expect((await peer.response(1)).stdout).toMatch(/response$/)
  await peer.close()
})

test('no record of a request follows its END_REQUEST', async () => {
  const app = new App()
  const serving = await listen(app.handler)
  for (const keepConn of [true, false]) {
    const peer = await serving.connect()
    peer.get(1, {}, { keepConn })
    const exchange = await app.next()
    exchange.stderr.write('before')
    exchange.end('response')
    exchange.stderr.write('after')
    exchange.stderr.end()
    exchange.fail(new Error('after'))
    await peer.response(1)
    // The reply to a new query follows all records that were sent before.
    if (keepConn) {
      peer.write(record(TYPES.GET_VALUES, 0, pair('FCGI_MAX_REQS', '')))
      await peer.next(TYPES.GET_VALUES_RESULT, 0)
    } else {
      await peer.end()
    }
    expect(peer.recordsOf(1).at(-1)!.type).toBe(TYPES.END_REQUEST)
    expect(peer.text(TYPES.STDERR, 1)).toBe('before')
  }
})

test('records after the last request, in the same read, do not affect its response', async () => {
  const app = new App()
  const { peer } = await connected(app.handler)
  peer.post(1, { CONTENT_LENGTH: '4' })
  const exchange = await app.next()
  const body = Buffer.alloc(8 * MEGABYTE, 'response ')
  exchange.stdin.onReadable = () => exchange.end(body)
  const query = record(TYPES.GET_VALUES, 0, pair('FCGI_MAX_REQS', ''))
  peer.write(record(TYPES.STDIN, 1, 'body'), record(TYPES.STDIN, 1), query, begin(2), params(2), query)
  expect((await peer.response(1)).stdout).toHaveLength(body.length + 'Status: 200 OK\r\n\r\n'.length)
  peer.halfClose()
  await peer.close()
  expect(peer.error).toBeUndefined()
})

test('a protocolError listener that throws does not affect a complete request of the same read', async () => {
  const { server, sockets } = await listen(echo)
  server.on('protocolError', () => {
    throw new Error('thrown by the listener')
  })
  const peer = joined(server)
  const whole = [begin(1), params(1, { ...POST, CONTENT_LENGTH: '4' }), record(TYPES.STDIN, 1, 'body')]
  // Another request then begins with the id of this one, which has not ended.
  const chunk = Buffer.concat([...whole, record(TYPES.STDIN, 1), begin(1)])
  expect(() => sockets.at(-1)!.emit('data', chunk)).toThrow('thrown by the listener')
  // The server reads the next data into the same memory.
  chunk.fill(0)
  expect((await peer.response(1)).stdout).toMatch(/POST \/ body$/)
})
