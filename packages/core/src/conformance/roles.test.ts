// FastCGI 1.0, sections 6.2 to 6.4: responder, authorizer, filter.

import { type Peer, POST, TYPES } from '@fcgi-bridge/testing'
import { describe, expect, test } from 'vitest'
import { App, connected, echo, readAll, stopClock } from '../testing/serving.ts'

const AUTHORIZER = 2
const FILTER = 3

describe('41: STDIN and CONTENT_LENGTH', () => {
  test('41: a longer STDIN is cut', async () => {
    const { peer } = await connected(echo)
    peer
      .post(1, { CONTENT_LENGTH: '5' })
      .stdin(1, 'bo')
      .stdin(1, 'dy! and more')
      .stdin(1, 'and more')
      .endStdin(1)
    expect((await peer.answer(1)).stdout).toMatch(/POST \/ body!$/)
  })

  test('41: a body is whole with its last byte, whether or not STDIN ends', async () => {
    const { peer } = await connected(echo)
    peer.post(1, { CONTENT_LENGTH: '4' }).stdin(1, 'body')
    await peer.stdout(1, 'POST / body')
  })

  test('41: a shorter STDIN is an error for whoever reads it, behind the bytes that came', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.post(1, { CONTENT_LENGTH: '10' }).stdin(1, 'half').endStdin(1)
    const { stdin } = await app.next()
    await expect(readAll(stdin)).rejects.toMatchObject({ code: 'FCGI_ERR_BODY_LENGTH', status: 400 })
    expect(stdin.ended).toBe(false)
  })

  test('41: and for the standard Request', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.post(1, { CONTENT_LENGTH: '10' }).stdin(1, 'half').endStdin(1)
    const { request } = await app.next()
    await expect(request.text()).rejects.toMatchObject({ code: 'FCGI_ERR_BODY_LENGTH' })
  })

  test.each([[undefined], [''], ['-1']])(
    '41: CONTENT_LENGTH %j and data: all that STDIN carries is delivered',
    async (length) => {
      const { peer } = await connected(echo)
      peer
        .post(1, length === undefined ? {} : { CONTENT_LENGTH: length })
        .stdin(1, 'as much as ')
        .stdin(1, 'there is')
        .endStdin(1)
      expect((await peer.answer(1)).stdout).toMatch(/POST \/ as much as there is$/)
    },
  )

  test('41: without CONTENT_LENGTH and without data the body is empty', async () => {
    const { peer } = await connected(echo)
    peer.post(1).endStdin(1)
    expect((await peer.answer(1)).stdout).toMatch(/POST \/ $/)
  })

  test('41: without CONTENT_LENGTH a connection that ends before STDIN does is an error, never a clean end', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.post(1).stdin(1, 'half')
    const body = readAll((await app.next()).stdin)
    peer.halfClose()
    await expect(body).rejects.toMatchObject({ code: 'FCGI_ERR_CONNECTION_CLOSED' })
  })
})

describe('42: a reply that begins before STDIN ends', () => {
  test('42: both ways at once, piece by piece', async () => {
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
    expect((await peer.answer(1)).stdout).toMatch(/\r\n\r\nonetwosix\.$/)
  })

  test('42: the whole reply, with KEEP_CONN: END_REQUEST is behind the end of STDIN', async () => {
    // A front server that pauses is not waited for, and this one does not.
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
    await peer.answer(1)
  })
})

describe('43: authorizer', () => {
  // As lighttpd and mod_fcgid call it: no SCRIPT_NAME, no PATH_INFO, no CONTENT_LENGTH, and STDIN never ends.
  const PARAMS = { REQUEST_METHOD: 'POST', REQUEST_URI: '/secret', HTTP_HOST: 'front.test' }

  function ask(peer: Peer, keepConn = false): Peer {
    return peer.begin(1, { role: AUTHORIZER, keepConn }).params(1, PARAMS)
  }

  test('43: 200 with Variable-* lets in, without any STDIN', async () => {
    const { peer } = await connected({
      authorizer(exchange) {
        expect(exchange.role).toBe('authorizer')
        expect(exchange.stdin.ended).toBe(true)
        exchange.writeHead(200, ['Variable-AUTH_METHOD', 'database lookup'])
        exchange.end()
      },
    })
    expect(await ask(peer).answer(1)).toMatchObject({
      stdout: 'Status: 200 OK\r\nVariable-AUTH_METHOD: database lookup\r\n\r\n',
      protocolStatus: 0,
    })
    await peer.end()
  })

  test('43: any other status is a full reply', async () => {
    const { peer } = await connected({
      authorizer(exchange) {
        exchange.writeHead(401, ['WWW-Authenticate', 'Basic realm="x"', 'Content-Type', 'text/html'])
        exchange.write('<p>Who ')
        exchange.end('are you?')
      },
    })
    expect((await ask(peer, true).answer(1)).stdout).toBe(
      'Status: 401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Type: text/html\r\n\r\n<p>Who are you?',
    )
  })

  test.each([
    [204, 'Status: 204 No Content\r\n\r\n'],
    [205, 'Status: 205 Reset Content\r\nContent-Length: 0\r\n\r\n'],
    [304, 'Status: 304 Not Modified\r\nContent-Length: 5\r\n\r\n'],
  ])('43: a reply of status %i has no body', async (status, stdout) => {
    const { peer } = await connected({
      authorizer(exchange) {
        exchange.writeHead(status, ['Content-Length', '5'])
        exchange.end('hello')
      },
    })
    expect((await ask(peer).answer(1)).stdout).toBe(stdout)
  })

  test('43: STDIN that comes nevertheless is ignored', async () => {
    const { peer } = await connected({ authorizer: echo })
    ask(peer, true).stdin(1, 'ignored').endStdin(1)
    expect((await peer.answer(1)).stdout).toMatch(/POST \/secret $/)
    peer.forget()
    expect((await ask(peer).answer(1)).stdout).toMatch(/POST \/secret $/)
  })

  test('43: a server without an authorizer denies', async () => {
    const { peer } = await connected(echo)
    expect((await ask(peer).answer(1)).stdout).toMatch(/^Status: 500 /)
  })
})

describe('44: filter', () => {
  const ask = (peer: Peer, changes: Record<string, string>): Peer =>
    peer.begin(1, { role: FILTER }).params(1, { ...POST, FCGI_DATA_LAST_MOD: '0', ...changes })

  test('44: STDIN, then DATA', async () => {
    const { peer } = await connected({
      async filter(exchange) {
        const stdin = await readAll(exchange.stdin)
        exchange.end(`${exchange.role}: ${stdin} ${await readAll(exchange.data)}`)
      },
    })
    ask(peer, { CONTENT_LENGTH: '5', FCGI_DATA_LENGTH: '9' }).stdin(1, 'stdin').endStdin(1)
    peer.data(1, 'the ').data(1, 'data!').endData(1)
    expect((await peer.answer(1)).stdout).toMatch(/\r\n\r\nfilter: stdin the data!$/)
  })

  test.each([
    ['shorter', 'dat'],
    ['longer', 'data and more'],
  ])('44: DATA that is %s than FCGI_DATA_LENGTH is flagged', async (_, data) => {
    const app = new App()
    const { peer } = await connected({ filter: app.handler })
    ask(peer, { FCGI_DATA_LENGTH: '4' }).endStdin(1).data(1, data).endData(1)
    const exchange = await app.next()
    await expect(readAll(exchange.data)).rejects.toMatchObject({ code: 'FCGI_ERR_BODY_LENGTH' })
  })

  test.each([[undefined], ['']])('44: FCGI_DATA_LENGTH %j: the file is what DATA carries', async (length) => {
    const app = new App()
    const { peer } = await connected({ filter: app.handler })
    ask(peer, length === undefined ? {} : { FCGI_DATA_LENGTH: length })
      .endStdin(1)
      .data(1, 'file')
      .endData(1)
    expect(String(await readAll((await app.next()).data))).toBe('file')
  })

  test.each(['-1', 'x', '1e3', '9'.repeat(20)])(
    '44: FCGI_DATA_LENGTH %s, which is no length, is refused',
    async (length) => {
      const app = new App()
      const { peer } = await connected({ filter: app.handler })
      ask(peer, { FCGI_DATA_LENGTH: length }).endStdin(1).endData(1)
      expect((await peer.answer(1)).stdout).toMatch(/^Status: 400 /)
      expect(app.exchanges).toEqual([])
    },
  )

  test('44: a reply without reading DATA, and STDIN, works', async () => {
    const { peer } = await connected({ filter: (exchange) => exchange.end('cached') })
    ask(peer, { CONTENT_LENGTH: '5', FCGI_DATA_LENGTH: '5000000' }).stdin(1, 'stdin').endStdin(1)
    peer.data(1, Buffer.alloc(5_000_000)).endData(1)
    expect((await peer.answer(1)).stdout).toMatch(/\r\n\r\ncached$/)
    await peer.end()
    expect(peer.error).toBeUndefined()
  })

  test('44: a connection that ends before DATA does is an abort', async () => {
    const app = new App()
    const { peer } = await connected({ filter: app.handler })
    ask(peer, {}).endStdin(1).data(1, 'half')
    const exchange = await app.next()
    const data = readAll(exchange.data)
    peer.halfClose()
    await expect(data).rejects.toMatchObject({ code: 'FCGI_ERR_CONNECTION_CLOSED' })
    expect(exchange.aborted).toBe(true)
  })

  test('44: other roles have no DATA', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.post(1).data(1, 'stray').endData(1).stdin(1, 'body').endStdin(1)
    const exchange = await app.next()
    expect(exchange.data).toMatchObject({ ended: true, error: undefined })
    expect(String(await readAll(exchange.stdin))).toBe('body')
  })
})

test('45: the output never has an HTTP/1.1 line, a 1xx, Transfer-Encoding or Connection', async () => {
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
  expect((await peer.answer(1)).stdout).toBe('Status: 200 Fine\r\nX-Kept: yes\r\n\r\nbody')
})

test.each([
  ['HEAD', 200],
  ['GET', 204],
  ['GET', 205],
  ['GET', 304],
])('45: no body to %s with %i', async (method, status) => {
  const { peer } = await connected((exchange) => {
    exchange.writeHead(status, ['X-Kept', 'yes'])
    exchange.write('swallowed')
    exchange.end('swallowed')
  })
  peer.get(1, { REQUEST_METHOD: method })
  expect((await peer.answer(1)).stdout).toMatch(/X-Kept: yes\r\n\r\n$/)
})
