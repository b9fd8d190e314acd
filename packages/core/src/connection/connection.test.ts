// Manners on the wire, each learned from the failure of a real front server.

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

/** Writes in pieces, and waits for the front server as the exchange asks. */
function writeSlowly(exchange: Exchange, bytes: number): void {
  const piece = Buffer.alloc(64 * 1024, 'answer ')
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

/** Sends the whole of a body without reading anything, as mod_fcgid and Caddy do. */
async function sendBlindly(peer: Peer, id: number, bytes: number): Promise<void> {
  peer.socket.pause()
  for (let left = bytes; left > 0; left -= MEGABYTE) {
    peer.stdin(id, Buffer.alloc(Math.min(left, MEGABYTE), 'upload'))
    await peer.flushed()
  }
  peer.endStdin(id)
  await peer.flushed()
  peer.socket.resume()
}

describe('a small answer is one write', () => {
  test.each<[string, Handler]>([
    [
      'head and body given at once',
      (exchange) => {
        exchange.writeHead(200, ['Content-Type', 'text/plain'])
        exchange.end('hello')
      },
    ],
    ['the body alone', (exchange) => exchange.end('hello')],
    [
      'no body',
      (exchange) => {
        exchange.writeHead(304)
        exchange.end()
      },
    ],
    ['given later', (exchange) => void setImmediate(() => exchange.end('hello'))],
    ['as bytes of 16 000', (exchange) => exchange.end(Buffer.alloc(16_000))],
  ])('%s', async (_, handler) => {
    const { peer, sockets } = await connected(handler)
    const write = vi.spyOn(sockets[0]!, 'write')
    peer.get(1, {}, { keepConn: true })
    await peer.answer(1)
    expect(write).toHaveBeenCalledTimes(1)
    expect(peer.reads).toBe(1)
  })

  test('the answers to requests that came together go out together', async () => {
    const { peer } = await connected((exchange) => exchange.end('hello'))
    peer.write(
      ...[1, 2, 3].flatMap((id) => [begin(id, { keepConn: true }), params(id), record(TYPES.STDIN, id)]),
    )
    await Promise.all([1, 2, 3].map((id) => peer.answer(id)))
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
    await peer.answer(1)
    const [first] = peer.records.filter(({ type }) => type === TYPES.STDOUT)
    expect(first!.content.toString('latin1')).toMatch(/^Status: 200 OK\r\nX-Long: x{30000}\r\n\r\nb*$/)
  },
)

test('the head waits for the first byte of the body, or for a flush', async () => {
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

// nginx forwards a head that ends in padding only when the next byte arrives.
test.each(Array.from({ length: 8 }, (_, length) => 'x'.repeat(length)))(
  'a head that is flushed before the body has no padding: X-Pad: %s',
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
      await peer.answer(id)
      expect(peer.content(TYPES.STDOUT, id).toString()).toBe(`Status: 200 OK\r\nX-Pad: ${value}\r\n\r\nbody`)
    }
  },
)

// HAProxy 2.6 dies of others.
test('STDERR records have padding, and at most 8000 bytes', async () => {
  const { peer } = await connected((exchange) => {
    for (const size of [1, 7, 8, 16, 7999, 8000, 8001, 100_000]) exchange.stderr.write('e'.repeat(size))
    exchange.end()
  })
  peer.get(1)
  await peer.answer(1)
  const records = peer.records.filter(({ type }) => type === TYPES.STDERR)
  expect(records.length).toBeGreaterThan(8)
  for (const { content, padding } of records) {
    expect(content.length).toBeLessThanOrEqual(8000)
    expect(padding.length).toBeGreaterThan(0)
  }
})

describe.each(TRANSPORTS)('reading goes on while writing, over %s', (transport) => {
  test.each([
    ['kept', true],
    ['closed', false],
  ])('a long answer while a long body is unread, the connection %s', async (_, keepConn) => {
    const { peer } = await connected((exchange) => writeSlowly(exchange, 4 * MEGABYTE), {}, transport)
    peer.post(1, { CONTENT_LENGTH: String(10 * MEGABYTE) }, { keepConn })
    await sendBlindly(peer, 1, 10 * MEGABYTE)
    const { stdout } = await peer.answer(1)
    expect(stdout).toHaveLength(4 * MEGABYTE + 'Status: 200 OK\r\n\r\n'.length)
    expect(peer.error).toBeUndefined()
    if (!keepConn) await peer.end()
    else await peer.forget().get(1).answer(1)
  })
})

describe('an answer that is given early', () => {
  test('is whole with END_REQUEST, then the write side is shut, and the rest of STDIN drained', async () => {
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

  test('is not drained for longer than lingerTimeout', async () => {
    const { peer, sockets } = await connected((exchange) => exchange.end('early'), { lingerTimeout: 10 })
    peer.post(1, { CONTENT_LENGTH: '1000' })
    await peer.end()
    await closed(sockets[0]!)
  })

  test('is not drained for more than lingerBytes', async () => {
    const { peer, sockets } = await connected((exchange) => exchange.end('early'), { lingerBytes: 1000 })
    peer.post(1, { CONTENT_LENGTH: '100000' })
    await peer.end()
    peer.stdin(1, Buffer.alloc(100_000))
    await closed(sockets[0]!)
    expect((await peer.answer(1)).stdout).toMatch(/early$/)
  })

  test('a large answer is read to its end by a slow peer, however short lingerTimeout is', async () => {
    const { peer, sockets } = await connected((exchange) => exchange.end(Buffer.alloc(8 * MEGABYTE)), {
      lingerTimeout: 1,
    })
    peer.socket.pause()
    peer.get(1)
    await once(sockets[0]!, 'data')
    stopClock('setTimeout')
    // The handler is called behind this read, and what it ends is too much for the sockets.
    await new Promise(setImmediate)
    vi.advanceTimersByTime(60_000)
    expect(sockets[0]!.destroyed).toBe(false)
    peer.socket.resume()
    expect((await peer.answer(1)).stdout).toHaveLength(8 * MEGABYTE + 'Status: 200 OK\r\n\r\n'.length)
  })
})

const isEnd = ({ type }: WireRecord): boolean => type === TYPES.END_REQUEST
const isStdoutEnd = ({ type, content }: WireRecord): boolean => type === TYPES.STDOUT && content.length === 0

// H2O dies of an END_REQUEST that comes before it has written all.
describe('with KEEP_CONN, END_REQUEST waits for the end of STDIN', () => {
  test('and comes with it', async () => {
    // However long the pieces take.
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
    await peer.answer(1)
  })

  test('unless the front server pauses, as nginx does once it has a head', async () => {
    const { peer } = await connected((exchange) => exchange.end('early'))
    peer.post(1, { CONTENT_LENGTH: '300' }, { keepConn: true })
    await peer.answer(1)
    expect(peer.ended).toBe(false)
  })

  test('or sends more than lingerBytes: the connection is then closed behind it', async () => {
    stopClock('setTimeout')
    const { peer } = await connected((exchange) => exchange.end('early'), { lingerBytes: 1000 })
    peer.post(1, { CONTENT_LENGTH: '1000000' }, { keepConn: true })
    await peer.until(() => peer.records.find(isStdoutEnd))
    peer.stdin(1, Buffer.alloc(2000))
    await peer.answer(1)
    await peer.end()
  })

  test('or trickles for longer than lingerTimeout', async () => {
    // It does not pause.
    stopClock('setTimeout')
    const { peer } = await connected((exchange) => exchange.end('early'), { lingerTimeout: 50 })
    peer.post(1, { CONTENT_LENGTH: '1000000' }, { keepConn: true })
    await peer.until(() => peer.records.find(isStdoutEnd))
    const trickle = setInterval(() => peer.stdin(1, 'x'), 10)
    await peer.answer(1).finally(() => clearInterval(trickle))
    await peer.end()
  })

  test('or pauses, while siblings do not', async () => {
    const { peer } = await connected((exchange) => exchange.end('early'))
    for (const id of [1, 2]) peer.post(id, { CONTENT_LENGTH: '1000000' }, { keepConn: true })
    const trickle = setInterval(() => peer.stdin(2, 'x'), 20)
    await peer.answer(1).finally(() => clearInterval(trickle))
    expect(peer.recordsOf(2).map(({ type }) => type)).not.toContain(TYPES.END_REQUEST)
    await peer.answer(2)
  })

  test('or half-closes, or the connection is taken down: with the END_REQUEST still', async () => {
    stopClock('setTimeout')
    const { peer } = await connected((exchange) => exchange.end('early'))
    peer.post(1, { CONTENT_LENGTH: '300' }, { keepConn: true })
    await peer.until(() => peer.records.find(isStdoutEnd))
    peer.stdin(1, 'some').halfClose()
    await peer.answer(1)
    await peer.close()
    expect(peer.error).toBeUndefined()
  })
})

// To lighttpd an END_REQUEST without STDOUT grants access, to mod_proxy_fcgi it is an empty 200, HAProxy waits for ever.
describe('every refusal is a whole response', () => {
  const BAD = record(TYPES.PARAMS, 1, pairs(Object.entries({ ...GET, HTTP_HOST: 'no/host' })))
  const END = record(TYPES.PARAMS, 1)

  test.each<[string, number, number, Parameters<typeof connected>[1], (peer: Peer) => void]>([
    [
      'params that are none',
      400,
      0,
      {},
      (peer) => peer.begin(1).write(record(TYPES.PARAMS, 1, [9, 9, 9]), END),
    ],
    ['a host that is none', 400, 0, {}, (peer) => peer.begin(1).write(BAD, END)],
    ['a CONTENT_LENGTH that is none', 400, 0, {}, (peer) => peer.post(1, { CONTENT_LENGTH: '1,2' })],
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
    ['one request too many', 503, 2, { maxRequests: 1 }, (peer) => peer.begin(9).get(1)],
    ['a second request without multiplexing', 503, 1, { multiplex: false }, (peer) => peer.begin(9).get(1)],
  ])('%s: %i with protocolStatus %i', async (_, status, protocolStatus, options, send) => {
    const app = new App()
    const { peer, errors } = await connected(app.handler, options)
    send(peer)
    const answer = await peer.answer(1)
    expect(answer).toMatchObject({ protocolStatus, appStatus: 0 })
    if (status < 500) {
      // The reason is in the front server's error log, and with onError.
      const [{ code, message }] = errors as [{ code: string; message: string }]
      expect(errors).toHaveLength(1)
      expect(answer.stderr).toBe(`Request refused with status ${status} (${code}): ${message}\n`)
      expect(peer.recordsOf(1)[0]!.type).toBe(TYPES.STDERR)
    } else {
      expect([answer.stderr, errors]).toEqual(['', []])
    }
    expect(answer.stdout).toMatch(
      new RegExp(`^Status: ${status} [\\w -]+\\r\\nContent-Type: text/plain[^]*\\r\\n\\r\\n`),
    )
    expect(peer.recordsOf(1).filter(isStdoutEnd)).toHaveLength(1)
    expect(app.exchanges).toEqual([])
  })

  test('one without a body where the method is HEAD, or is not known yet', async () => {
    const { peer } = await connected(echo, { maxBodyBytes: 10 })
    peer.get(1, { REQUEST_METHOD: 'HEAD', CONTENT_LENGTH: '11' }, { keepConn: true })
    expect((await peer.answer(1)).stdout).toMatch(/^Status: 413 .*\r\n\r\n$/s)
    peer.get(2, { REQUEST_METHOD: 'HEAD' }, { keepConn: true, role: 9 })
    expect((await peer.answer(2)).stdout).toMatch(/^Status: 500 .*\r\n\r\n$/s)
    peer.get(3, { CONTENT_LENGTH: '11' })
    expect((await peer.answer(3)).stdout).toMatch(/^Status: 413 .*\r\n\r\n413 .*\n$/s)
  })

  test('OVERLOADED says when to come again', async () => {
    const { peer } = await connected(echo, { maxRequests: 1 })
    peer.begin(9).get(1)
    expect((await peer.answer(1)).stdout).toContain('\r\nRetry-After: 1\r\n')
  })
})

describe('an authorizer denies, whatever goes wrong in it', () => {
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
      'it throws after it has said 200',
      500,
      (exchange) => {
        allow(exchange)
        throw new Error('second thoughts')
      },
    ],
    [
      'it rejects after it has said 200',
      500,
      async (exchange) => {
        allow(exchange)
        await new Promise(setImmediate)
        throw new Error('second thoughts')
      },
    ],
    [
      'it fails later',
      500,
      (exchange) => {
        allow(exchange)
        setImmediate(() => exchange.fail(undefined))
      },
    ],
    ['it sets a header that is none', 500, (exchange) => exchange.writeHead(200, ['Variable-X', 'a\r\nb'])],
    [
      'a hook of it throws',
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
    const { stdout } = await peer.answer(1)
    expect(stdout).toMatch(new RegExp(`^Status: ${status} `))
    expect(stdout).not.toContain('200')
    expect(stdout).not.toContain('Variable')
  })

  test('it is too slow', async () => {
    stopClock('setInterval')
    const app = new App()
    const { peer } = await connected({ authorizer: app.handler }, { requestTimeout: 1000 })
    peer.begin(1, { role: AUTHORIZER }).params(1)
    allow(await app.next())
    vi.advanceTimersByTime(3000)
    expect((await peer.answer(1)).stdout).toMatch(/^Status: 504 /)
  })

  test('the server closes before it has answered', async () => {
    const app = new App()
    const { peer, server } = await connected({ authorizer: app.handler }, { drainTimeout: 1 })
    peer.begin(1, { role: AUTHORIZER, keepConn: true }).params(1)
    allow(await app.next())
    const closed = server.close()
    expect((await peer.answer(1)).stdout).toMatch(/^Status: 503 /)
    await closed
  })

  test('the answer is one write, with its end', async () => {
    const { peer, sockets } = await connected({
      authorizer(exchange) {
        allow(exchange)
        exchange.write(' in')
        exchange.end('!')
      },
    })
    const write = vi.spyOn(sockets[0]!, 'write')
    peer.begin(1, { role: AUTHORIZER, keepConn: true }).params(1)
    expect((await peer.answer(1)).stdout).toBe('Status: 200 OK\r\nVariable-USER: root\r\n\r\nwelcome in!')
    expect(write).toHaveBeenCalledTimes(1)
  })

  test.each([204, 304])('it says %i: there is no body, whatever it wrote', async (status) => {
    const { peer } = await connected({
      authorizer(exchange) {
        exchange.writeHead(status)
        exchange.write('body')
        exchange.end('body')
      },
    })
    peer.begin(1, { role: AUTHORIZER }).params(1)
    expect((await peer.answer(1)).stdout).toMatch(/\r\n\r\n$/)
  })
})

// mod_fcgid puts one in front of an upload that it took over HTTP/2 without its length.
describe('an end of STDIN in front of the body that was announced', () => {
  test('is not the end of the body', async () => {
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
    expect((await peer.answer(1)).stdout).toMatch(/\r\n\r\nbody$/)
  })

  test('is the end if nothing comes behind it, be there one or ten thousand', async () => {
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
    // END_REQUEST waits for it no longer.
    exchange.end('answer')
    await peer.answer(1)
    expect(sockets[0]!.destroyed).toBe(false)
  })

  test('is not waited for when the request is over', async () => {
    stopClock('setTimeout')
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.post(1, { CONTENT_LENGTH: '4' }, { keepConn: true }).endStdin(1)
    await app.next()
    expect(vi.getTimerCount()).toBe(1)
    peer.abort(1)
    await peer.answer(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is the end if the peer sends nothing more at all, and the app answers what is missing', async () => {
    const { peer } = await connected(echo)
    peer.post(1, { CONTENT_LENGTH: '4' }).endStdin(1).halfClose()
    expect((await peer.answer(1)).stdout).toMatch(/^Status: 400 /)
    await peer.close()
  })
})

test('a whole request is answered though the peer then errs within a record, and shuts its side', async () => {
  const app = new App()
  const { peer, protocolErrors, sockets } = await connected(app.handler)
  peer.get(1).write(record(TYPES.BEGIN_REQUEST, 2, 'x', 4))
  const exchange = await app.next()
  const read = once(sockets[0]!, 'end')
  peer.halfClose()
  await read
  expect(protocolErrors).toEqual(['FCGI_ERR_BODY_LENGTH'])
  exchange.end('answer')
  expect((await peer.answer(1)).stdout).toMatch(/answer$/)
  await peer.close()
})

test('nothing follows END_REQUEST', async () => {
  const app = new App()
  const serving = await listen(app.handler)
  for (const keepConn of [true, false]) {
    const peer = await serving.connect()
    peer.get(1, {}, { keepConn })
    const exchange = await app.next()
    exchange.stderr.write('before')
    exchange.end('answer')
    exchange.stderr.write('behind')
    exchange.stderr.end()
    exchange.fail(new Error('behind'))
    await peer.answer(1)
    // What is asked now comes behind whatever there was.
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

test('what is asked behind the last request, in the same read, does not take its answer away', async () => {
  const app = new App()
  const { peer } = await connected(app.handler)
  peer.post(1, { CONTENT_LENGTH: '4' })
  const exchange = await app.next()
  const answer = Buffer.alloc(8 * MEGABYTE, 'answer ')
  exchange.stdin.onReadable = () => exchange.end(answer)
  const ask = record(TYPES.GET_VALUES, 0, pair('FCGI_MAX_REQS', ''))
  peer.write(record(TYPES.STDIN, 1, 'body'), record(TYPES.STDIN, 1), ask, begin(2), params(2), ask)
  expect((await peer.answer(1)).stdout).toHaveLength(answer.length + 'Status: 200 OK\r\n\r\n'.length)
  peer.halfClose()
  await peer.close()
  expect(peer.error).toBeUndefined()
})

test('a listener of protocolError that throws takes no request from beside the error away', async () => {
  const { server, sockets } = await listen(echo)
  server.on('protocolError', () => {
    throw new Error('thrown by the listener')
  })
  const peer = joined(server)
  const whole = [begin(1), params(1, { ...POST, CONTENT_LENGTH: '4' }), record(TYPES.STDIN, 1, 'body')]
  // Behind it another begins with the id of one that has not ended.
  const chunk = Buffer.concat([...whole, record(TYPES.STDIN, 1), begin(1)])
  expect(() => sockets.at(-1)!.emit('data', chunk)).toThrow('thrown by the listener')
  // What comes next is read into the same memory.
  chunk.fill(0)
  expect((await peer.answer(1)).stdout).toMatch(/POST \/ body$/)
})
