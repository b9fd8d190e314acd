// FastCGI 1.0, sections 3.5 and 5.1: closing connections.

import { describe, expect, test } from 'vitest'
import { App, connected, echo, readAll, TRANSPORTS } from '../testing/serving.ts'

const MEGABYTE = 1024 * 1024

describe.each(TRANSPORTS)('over %s', (transport) => {
  test('19: without KEEP_CONN everything is delivered, then the connection is closed', async () => {
    const body = Buffer.alloc(4 * MEGABYTE, 'abcdefg')
    const { peer } = await connected((exchange) => exchange.end(body), {}, transport)
    peer.get(1)
    const { stdout } = await peer.response(1)
    expect(stdout).toHaveLength(body.length + 'Status: 200 OK\r\n\r\n'.length)
    await peer.end()
    peer.halfClose()
    await peer.close()
    expect(peer.error).toBeUndefined()
  })

  test('19: a response that ends before the request body is delivered completely, without a reset', async () => {
    const body = Buffer.alloc(4 * MEGABYTE, 'abcdefg')
    const { peer } = await connected((exchange) => exchange.end(body), {}, transport)
    // Like mod_fcgid and Caddy, the peer sends the whole body before it reads anything.
    peer.socket.pause()
    peer.post(1, { CONTENT_LENGTH: String(10 * MEGABYTE) })
    for (let i = 0; i < 10; i++) {
      peer.stdin(1, Buffer.alloc(MEGABYTE, 'upload'))
      await peer.flushed()
    }
    peer.endStdin(1)
    peer.socket.resume()
    const { stdout } = await peer.response(1)
    expect(stdout).toHaveLength(body.length + 'Status: 200 OK\r\n\r\n'.length)
    await peer.end()
    peer.halfClose()
    await peer.close()
    expect(peer.error).toBeUndefined()
  })

  test('19: with KEEP_CONN the connection stays open, and the next request works', async () => {
    const { peer, sockets } = await connected(echo, {}, transport)
    for (let i = 0; i < 20; i++) {
      peer.forget().get(1, { REQUEST_URI: `/${i}` }, { keepConn: true })
      expect((await peer.response(1)).stdout).toMatch(new RegExp(`GET /${i} $`))
    }
    expect(peer.ended).toBe(false)
    expect(sockets).toHaveLength(1)
    // A request without KEEP_CONN then closes the connection.
    peer.forget().get(1)
    await peer.response(1)
    await peer.end()
  })

  test('21: a peer that closes its write side after its request still gets the whole response', async () => {
    const app = new App()
    const { peer, sockets } = await connected(app.handler, {}, transport)
    peer.post(1, { CONTENT_LENGTH: '4' }).stdin(1, 'body').endStdin(1).halfClose()
    const exchange = await app.next()
    if (!sockets[0]!.readableEnded) await new Promise((resolve) => sockets[0]!.once('end', resolve))
    const body = await readAll(exchange.stdin)
    expect(exchange.aborted).toBe(false)
    exchange.write('first ')
    await peer.stdout(1, 'first ')
    exchange.end(body)
    expect((await peer.response(1)).stdout).toMatch(/\r\n\r\nfirst body$/)
    await peer.close()
    expect(peer.error).toBeUndefined()
  })
})

test('20: after a request without KEEP_CONN has ended, the other requests finish before the close', async () => {
  const app = new App()
  const { peer } = await connected(app.handler)
  peer.get(1, {}, { keepConn: true }).get(2, {}, { keepConn: false }).get(3, {}, { keepConn: true })
  const [one, two, three] = [await app.next(), await app.next(), await app.next()]
  two.end('two')
  expect((await peer.response(2)).stdout).toMatch(/two$/)
  one.write('one ')
  await peer.stdout(1, 'one ')
  one.end('whole')
  expect((await peer.response(1)).stdout).toMatch(/one whole$/)
  expect(peer.ended).toBe(false)
  three.end('three')
  expect((await peer.response(3)).stdout).toMatch(/three$/)
  await peer.end()
})

test('20: if all requests have KEEP_CONN, the connection stays open', async () => {
  const app = new App()
  const { peer } = await connected(app.handler)
  peer.get(1, {}, { keepConn: true }).get(2, {}, { keepConn: true })
  const [one, two] = [await app.next(), await app.next()]
  two.end()
  one.end()
  await Promise.all([peer.response(1), peer.response(2)])
  peer.forget().get(1, {}, { keepConn: true })
  ;(await app.next()).end('next')
  expect((await peer.response(1)).stdout).toMatch(/next$/)
})

test.each([
  ['small', 1000],
  ['large', 20 * MEGABYTE],
])(
  '22: a %s body that is unread when the response ends is dropped, and the next request is served',
  async (_, size) => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.post(1, { CONTENT_LENGTH: String(size) }, { keepConn: true })
    ;(await app.next()).end('unread')
    await peer.stdout(1, 'unread')
    peer.stdin(1, Buffer.alloc(size)).endStdin(1)
    await peer.response(1)
    peer.forget().post(1, { CONTENT_LENGTH: '4' }, { keepConn: true }).stdin(1, 'next').endStdin(1)
    const next = await app.next()
    next.end(await readAll(next.stdin))
    expect((await peer.response(1)).stdout).toMatch(/\r\n\r\nnext$/)
  },
)
