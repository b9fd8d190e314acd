// FastCGI 1.0, sections 5.1 and 5.5: BEGIN_REQUEST, END_REQUEST, and refused requests.

import { record, TYPES } from '@fcgi-bridge/testing'
import { describe, expect, test } from 'vitest'
import { App, connected, echo, listen } from '../testing/serving.ts'

const COMPLETE = 0
const CANT_MPX_CONN = 1
const OVERLOADED = 2
const UNKNOWN_ROLE = 3

describe.each([0, 2, 3, 4, 65535])('27: role %i, which has no handler', (role) => {
  test('27: gets a 500 response and END_REQUEST with UNKNOWN_ROLE', async () => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.get(1, {}, { role })
    const { stdout, protocolStatus } = await peer.response(1)
    expect(stdout).toMatch(/^Status: 500 Internal Server Error\r\n/)
    expect(protocolStatus).toBe(UNKNOWN_ROLE)
    await peer.end()
    expect(app.exchanges).toEqual([])
  })

  test('27: does not close a connection with KEEP_CONN, and the rest of that id is ignored', async () => {
    const { peer } = await connected(echo)
    peer.post(1, {}, { role, keepConn: true }).stdin(1, 'body').data(1, 'data')
    await peer.stdout(1, '\r\n\r\n')
    peer.endStdin(1)
    expect((await peer.response(1)).protocolStatus).toBe(UNKNOWN_ROLE)
    peer.forget().stdin(1, 'more').endStdin(1).params(1).get(1)
    expect((await peer.response(1)).stdout).toMatch(/GET \/ $/)
  })
})

test.each([0, 7, 9, 16, 70])(
  '28: a BEGIN_REQUEST with %i bytes of content is a protocol error',
  async (size) => {
    const app = new App()
    const { peer, protocolErrors } = await connected(app.handler)
    peer
      .write(record(TYPES.BEGIN_REQUEST, 1, Buffer.alloc(size, 1)))
      .params(1)
      .endStdin(1)
    await peer.end()
    expect(peer.records).toEqual([])
    expect(protocolErrors).toEqual(['FCGI_ERR_BODY_LENGTH'])
    expect(app.exchanges).toEqual([])
  },
)

test('29: a second request with multiplexing off gets a 503 and CANT_MPX_CONN, and the first is not affected', async () => {
  const app = new App()
  const { peer } = await connected(app.handler, { multiplex: false })
  peer.get(1, {}, { keepConn: true })
  const first = await app.next()
  peer.get(2, {}, { keepConn: true })
  const { stdout, protocolStatus } = await peer.response(2)
  expect(stdout).toMatch(/^Status: 503 Service Unavailable\r\n/)
  expect(protocolStatus).toBe(CANT_MPX_CONN)
  expect(first.aborted).toBe(false)
  first.end('first')
  expect(await peer.response(1)).toMatchObject({
    stdout: 'Status: 200 OK\r\n\r\nfirst',
    protocolStatus: COMPLETE,
  })
  // Consecutive requests are not multiplexed.
  peer.get(3, {}, { keepConn: true })
  ;(await app.next()).end('third')
  expect((await peer.response(3)).stdout).toMatch(/third$/)
  expect(app.exchanges).toHaveLength(2)
})

describe('30: a request beyond the maximum', () => {
  test('30: gets a 503 response and OVERLOADED, and the app is not called', async () => {
    const app = new App()
    const serving = await listen(app.handler, { maxRequests: 2 })
    const [one, two] = [await serving.connect(), await serving.connect()]
    one.get(1, {}, { keepConn: true })
    const first = await app.next()
    two.get(1, {}, { keepConn: true })
    const second = await app.next()
    two.get(2, {}, { keepConn: true })
    const { stdout, protocolStatus } = await two.response(2)
    expect(stdout).toMatch(/^Status: 503 Service Unavailable\r\n/)
    expect(protocolStatus).toBe(OVERLOADED)
    expect(app.exchanges).toHaveLength(2)
    // When one request has ended, another one is accepted.
    first.end()
    await one.response(1)
    one.forget().get(1)
    ;(await app.next()).end()
    await one.response(1)
    second.end()
    await two.response(1)
  })

  test('30: does not count towards the maximum itself', async () => {
    const app = new App()
    const serving = await listen(app.handler, { maxRequests: 1 })
    const [one, two] = [await serving.connect(), await serving.connect()]
    one.get(1, {}, { keepConn: true })
    const first = await app.next()
    // This request is refused but has not ended, because its STDIN does not end.
    two.begin(1, { keepConn: true }).params(1)
    await two.stdout(1, '\r\n\r\n')
    first.end()
    await one.response(1)
    one.forget().get(1)
    ;(await app.next()).end('accepted')
    expect((await one.response(1)).stdout).toMatch(/accepted$/)
    expect((await two.response(1)).protocolStatus).toBe(OVERLOADED)
  })
})

test.each([0, 1, 938, 2 ** 32 - 1])(
  '31: appStatus %i is big-endian on the wire, in a single END_REQUEST',
  async (appStatus) => {
    const { peer } = await connected((exchange) => {
      exchange.appStatus = appStatus
      exchange.write('response')
      exchange.stderr.write('error')
      exchange.end()
      exchange.end()
      exchange.fail(new Error('late'))
    })
    peer.get(1)
    await peer.end()
    const ends = peer.records.filter(({ type }) => type === TYPES.END_REQUEST)
    expect(ends).toHaveLength(1)
    expect(peer.records.at(-1)).toBe(ends[0])
    const expected = Buffer.alloc(8)
    expected.writeUInt32BE(appStatus)
    expect(ends[0]!.content).toEqual(expected)
  },
)

test.each([-1, 1.5, 2 ** 32, Number.NaN])(
  '31: the invalid appStatus %s is converted to 32 bits',
  async (appStatus) => {
    const { peer } = await connected((exchange) => {
      exchange.appStatus = appStatus
      exchange.end('response')
    })
    peer.get(1)
    expect((await peer.response(1)).appStatus).toBe(appStatus >>> 0)
  },
)

test('31: END_REQUEST follows the last output of a long response', async () => {
  const { peer } = await connected((exchange) => {
    for (let i = 0; i < 100; i++) exchange.write(Buffer.alloc(10_000))
    exchange.end()
  })
  peer.get(1)
  await peer.response(1)
  await peer.end()
  expect(peer.records.at(-1)!.type).toBe(TYPES.END_REQUEST)
  expect(peer.records.at(-2)).toMatchObject({ type: TYPES.STDOUT, content: Buffer.alloc(0) })
})
