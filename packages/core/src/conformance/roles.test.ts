// FastCGI 1.0, sections 6.2 to 6.4: responder, authorizer, filter.

import { type Peer, POST, TYPES } from '@fcgi-bridge/testing'
import { describe, expect, test } from 'vitest'
import { App, connected, echo, readAll, stopClock } from '../testing/serving.ts'

const AUTHORIZER = 2
const FILTER = 3

describe('41: STDIN and CONTENT_LENGTH', () => {
  test('41: a longer STDIN is truncated', async () => {
    const { peer } = await connected(echo)
    peer
      .post(1, { CONTENT_LENGTH: '5' })
      .stdin(1, 'bo')
      .stdin(1, 'dy! and more')
      .stdin(1, 'and more')
      .endStdin(1)
    expect((await peer.response(1)).stdout).toMatch(/POST \/ body!$/)
  })

  test('41: a body is complete when its last byte has arrived, whether or not STDIN ends', async () => {
    const { peer } = await connected(echo)
    peer.post(1, { CONTENT_LENGTH: '4' }).stdin(1, 'body')
    await peer.stdout(1, 'POST / body')
  })

  test('41: a shorter STDIN is an error for the reader, after the bytes that arrived', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.post(1, { CONTENT_LENGTH: '10' }).stdin(1, 'half').endStdin(1)
    const { stdin } = await app.next()
    await expect(readAll(stdin)).rejects.toMatchObject({ code: 'FCGI_ERR_BODY_LENGTH', status: 400 })
    expect(stdin.ended).toBe(false)
  })

  test('41: a shorter STDIN is an error for the standard Request', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.post(1, { CONTENT_LENGTH: '10' }).stdin(1, 'half').endStdin(1)
    const { request } = await app.next()
    await expect(request.text()).rejects.toMatchObject({ code: 'FCGI_ERR_BODY_LENGTH' })
  })

  test.each([[undefined], [''], ['-1']])(
    '41: with CONTENT_LENGTH %j, the whole content of STDIN is delivered',
    async (length) => {
      const { peer } = await connected(echo)
      peer
        .post(1, length === undefined ? {} : { CONTENT_LENGTH: length })
        .stdin(1, 'the whole ')
        .stdin(1, 'content')
        .endStdin(1)
      expect((await peer.response(1)).stdout).toMatch(/POST \/ the whole content$/)
    },
  )

  test('41: without CONTENT_LENGTH and without data the body is empty', async () => {
    const { peer } = await connected(echo)
    peer.post(1).endStdin(1)
    expect((await peer.response(1)).stdout).toMatch(/POST \/ $/)
  })

  test('41: without CONTENT_LENGTH, a connection that closes before the end of STDIN is an error for the reader', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.post(1).stdin(1, 'half')
    const body = readAll((await app.next()).stdin)
    peer.halfClose()
    await expect(body).rejects.toMatchObject({ code: 'FCGI_ERR_CONNECTION_CLOSED' })
  })
})

describe('42: a response that begins before STDIN ends', () => {
  test('42: can be sent in pieces while STDIN arrives', async () => {
    const { peer } = await connected(async (exchange) => {
      exchange.writeHead(200)
      exchange.flush()
      for await (const chunk of exchange.request.body!) exchange.write(chunk)
      exchange.end('.')
    })
    peer.post(1)
    await peer.stdout(1, '\r\n\r\n')
    for (const piece of ['one', 'two', 'six']) {
      peer.stdin(1, piece)
      await peer.stdout(1, piece)
    }
    peer.endStdin(1)
    expect((await peer.response(1)).stdout).toMatch(/\r\n\r\nonetwosix\.$/)
  })

  test('42: can end before STDIN, with KEEP_CONN, and END_REQUEST is held until the end of STDIN', async () => {
    // END_REQUEST would be sent earlier if the front server paused, so stop the clock.
    stopClock('setTimeout')
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.post(1, { CONTENT_LENGTH: '1000000' }, { keepConn: true })
    ;(await app.next()).end('early')
    await peer.until(() =>
      peer.records.find(({ type, content }) => type === TYPES.STDOUT && content.length === 0),
    )
    for (let i = 0; i < 10; i++) {
      peer.stdin(1, Buffer.alloc(100_000))
      await peer.flushed()
      expect(peer.records.some(({ type }) => type === TYPES.END_REQUEST)).toBe(false)
    }
    peer.endStdin(1)
    await peer.response(1)
  })
})

describe('43: authorizer', () => {
  // lighttpd and mod_fcgid send no SCRIPT_NAME, PATH_INFO or CONTENT_LENGTH to an authorizer, and never end STDIN.
  const PARAMS = { REQUEST_METHOD: 'POST', REQUEST_URI: '/secret', HTTP_HOST: 'front.test' }

  function request(peer: Peer, keepConn = false): Peer {
    return peer.begin(1, { role: AUTHORIZER, keepConn }).params(1, PARAMS)
  }

  test('43: can send 200 with Variable-* without any STDIN', async () => {
    const { peer } = await connected({
      authorizer(exchange) {
        expect(exchange.role).toBe('authorizer')
        expect(exchange.stdin.ended).toBe(true)
        exchange.writeHead(200, ['Variable-AUTH_METHOD', 'database lookup'])
        exchange.end()
      },
    })
    expect(await request(peer).response(1)).toMatchObject({
      stdout: 'Status: 200 OK\r\nVariable-AUTH_METHOD: database lookup\r\n\r\n',
      protocolStatus: 0,
    })
    await peer.end()
  })

  test('43: can send a full response with any other status', async () => {
    const { peer } = await connected({
      authorizer(exchange) {
        exchange.writeHead(401, ['WWW-Authenticate', 'Basic realm="x"', 'Content-Type', 'text/html'])
        exchange.write('<p>Who ')
        exchange.end('are you?')
      },
    })
    expect((await request(peer, true).response(1)).stdout).toBe(
      'Status: 401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Type: text/html\r\n\r\n<p>Who are you?',
    )
  })

  test.each([
    [204, 'Status: 204 No Content\r\n\r\n'],
    [205, 'Status: 205 Reset Content\r\nContent-Length: 0\r\n\r\n'],
    [304, 'Status: 304 Not Modified\r\nContent-Length: 5\r\n\r\n'],
  ])('43: its response with status %i has no body', async (status, stdout) => {
    const { peer } = await connected({
      authorizer(exchange) {
        exchange.writeHead(status, ['Content-Length', '5'])
        exchange.end('hello')
      },
    })
    expect((await request(peer).response(1)).stdout).toBe(stdout)
  })

  test('43: ignores STDIN', async () => {
    const { peer } = await connected({ authorizer: echo })
    request(peer, true).stdin(1, 'ignored').endStdin(1)
    expect((await peer.response(1)).stdout).toMatch(/POST \/secret $/)
    peer.forget()
    expect((await request(peer).response(1)).stdout).toMatch(/POST \/secret $/)
  })

  test('43: is denied if the server has no handler for authorizers', async () => {
    const { peer } = await connected(echo)
    expect((await request(peer).response(1)).stdout).toMatch(/^Status: 500 /)
  })
})

describe('44: filter', () => {
  const request = (peer: Peer, changes: Record<string, string>): Peer =>
    peer.begin(1, { role: FILTER }).params(1, { ...POST, FCGI_DATA_LAST_MOD: '0', ...changes })

  test('44: receives STDIN, then DATA', async () => {
    const { peer } = await connected({
      async filter(exchange) {
        const stdin = await readAll(exchange.stdin)
        exchange.end(`${exchange.role}: ${stdin} ${await readAll(exchange.data)}`)
      },
    })
    request(peer, { CONTENT_LENGTH: '5', FCGI_DATA_LENGTH: '9' }).stdin(1, 'stdin').endStdin(1)
    peer.data(1, 'the ').data(1, 'data!').endData(1)
    expect((await peer.response(1)).stdout).toMatch(/\r\n\r\nfilter: stdin the data!$/)
  })

  test.each([
    ['shorter', 'dat'],
    ['longer', 'data and more'],
  ])('44: fails to read DATA that is %s than FCGI_DATA_LENGTH', async (_, data) => {
    const app = new App()
    const { peer } = await connected({ filter: app.handler })
    request(peer, { FCGI_DATA_LENGTH: '4' }).endStdin(1).data(1, data).endData(1)
    const exchange = await app.next()
    await expect(readAll(exchange.data)).rejects.toMatchObject({ code: 'FCGI_ERR_BODY_LENGTH' })
  })

  test.each([[undefined], ['']])(
    '44: receives the whole content of DATA if FCGI_DATA_LENGTH is %j',
    async (length) => {
      const app = new App()
      const { peer } = await connected({ filter: app.handler })
      request(peer, length === undefined ? {} : { FCGI_DATA_LENGTH: length })
        .endStdin(1)
        .data(1, 'file')
        .endData(1)
      expect(String(await readAll((await app.next()).data))).toBe('file')
    },
  )

  test.each(['-1', 'x', '1e3', '9'.repeat(20)])(
    '44: is not called for the invalid FCGI_DATA_LENGTH %s',
    async (length) => {
      const app = new App()
      const { peer } = await connected({ filter: app.handler })
      request(peer, { FCGI_DATA_LENGTH: length }).endStdin(1).endData(1)
      expect((await peer.response(1)).stdout).toMatch(/^Status: 400 /)
      expect(app.exchanges).toEqual([])
    },
  )

  test('44: can respond without reading STDIN and DATA', async () => {
    const { peer } = await connected({ filter: (exchange) => exchange.end('cached') })
    request(peer, { CONTENT_LENGTH: '5', FCGI_DATA_LENGTH: '5000000' }).stdin(1, 'stdin').endStdin(1)
    peer.data(1, Buffer.alloc(5_000_000)).endData(1)
    expect((await peer.response(1)).stdout).toMatch(/\r\n\r\ncached$/)
    await peer.end()
    expect(peer.error).toBeUndefined()
  })

  test('44: is aborted if the connection closes before the end of DATA', async () => {
    const app = new App()
    const { peer } = await connected({ filter: app.handler })
    request(peer, {}).endStdin(1).data(1, 'half')
    const exchange = await app.next()
    const data = readAll(exchange.data)
    peer.halfClose()
    await expect(data).rejects.toMatchObject({ code: 'FCGI_ERR_CONNECTION_CLOSED' })
    expect(exchange.aborted).toBe(true)
  })

  test('44: is the only role with DATA', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.post(1).data(1, 'stray').endData(1).stdin(1, 'body').endStdin(1)
    const exchange = await app.next()
    expect(exchange.data).toMatchObject({ ended: true, error: undefined })
    expect(String(await readAll(exchange.stdin))).toBe('body')
  })
})

test('45: the output never contains an HTTP/1.1 line, a 1xx, Transfer-Encoding or Connection', async () => {
  const app = new App()
  const { peer } = await connected(app.handler)
  peer.get(1, {}, { keepConn: true })
  const exchange = await app.next()
  for (const status of [100, 101, 102, 103, 199]) expect(() => exchange.writeHead(status)).toThrow(RangeError)
  exchange.writeHead(
    200,
    // biome-ignore format: pairs
    [
      'Connection', 'keep-alive', 'KEEP-ALIVE', 'timeout=5', 'transfer-encoding', 'chunked', 'Upgrade', 'websocket',
      'Trailer', 'X-Sum', 'Proxy-Connection', 'close', 'Status', '500', 'X-Kept', 'yes',
    ],
    'Fine',
  )
  exchange.end('body')
  expect((await peer.response(1)).stdout).toBe('Status: 200 Fine\r\nX-Kept: yes\r\n\r\nbody')
})

test.each([
  ['HEAD', 200],
  ['GET', 204],
  ['GET', 205],
  ['GET', 304],
])('45: the response to %s with status %i has no body', async (method, status) => {
  const { peer } = await connected((exchange) => {
    exchange.writeHead(status, ['X-Kept', 'yes'])
    exchange.write('dropped')
    exchange.end('dropped')
  })
  peer.get(1, { REQUEST_METHOD: method })
  expect((await peer.response(1)).stdout).toMatch(/X-Kept: yes\r\n\r\n$/)
})
