// FastCGI 1.0, sections 3.3 and 8: records.

import { once } from 'node:events'
import {
  begin,
  bytes,
  GET,
  get,
  type Peer,
  POST,
  pair,
  params,
  record,
  stream,
  TYPES,
} from '@fcgi-bridge/testing'
import { describe, expect, test } from 'vitest'
import { App, abortion, connected, echo, listen, type Serving } from '../testing/serving.ts'

// A request with all parts that can be split: PARAMS in two records, a pair with a length of four bytes, padding, a body.
const LONG = 'x'.repeat(200)
const SESSION = bytes(
  begin(1, { keepConn: true }),
  record(TYPES.PARAMS, 1, pair('REQUEST_METHOD', 'POST'), 3),
  record(TYPES.PARAMS, 1, bytes(pair('REQUEST_URI', '/cut'), pair('CONTENT_LENGTH', '11'), pair('X', LONG))),
  record(TYPES.PARAMS, 1),
  record(TYPES.STDIN, 1, 'hello ', 2),
  record(TYPES.STDIN, 1, 'world'),
  record(TYPES.STDIN, 1, '', 8),
)

async function sendInPieces({ peer, sockets }: Serving & { peer: Peer }, pieces: Buffer[]): Promise<string> {
  for (const piece of pieces) {
    const read = once(sockets[0]!, 'data')
    peer.write(piece)
    await read
  }
  const { stdout } = await peer.response(1)
  peer.forget()
  return stdout.slice(stdout.indexOf('\r\n\r\n') + 4)
}

test('1: a request is read one byte at a time', async () => {
  const serving = await connected(echo)
  expect(
    await sendInPieces(
      serving,
      [...SESSION].map((byte) => Buffer.of(byte)),
    ),
  ).toBe('POST /cut hello world')
})

test('1: a request is read if it is split at any offset', async () => {
  const serving = await connected(echo)
  for (let at = 1; at < SESSION.length; at++) {
    const body = await sendInPieces(serving, [SESSION.subarray(0, at), SESSION.subarray(at)])
    expect(body, `split at ${at}`).toBe('POST /cut hello world')
  }
})

test('1: many requests are read at once', async () => {
  const { peer, sockets } = await connected(echo)
  const ids = Array.from({ length: 100 }, (_, i) => i + 1)
  peer.write(...ids.map((id) => get(id, { REQUEST_URI: `/${id}` }, { keepConn: true })))
  for (const id of ids) expect((await peer.response(id)).stdout).toMatch(new RegExp(`GET /${id} $`))
  expect(sockets).toHaveLength(1)
})

test('2: a record with 65535 bytes of content and 255 bytes of padding is accepted', async () => {
  const { peer } = await connected(echo)
  const body = 'b'.repeat(65535)
  peer.post(1, { CONTENT_LENGTH: '131070' })
  peer.write(
    record(TYPES.STDIN, 1, body, 255),
    record(TYPES.STDIN, 1, body, 255),
    record(TYPES.STDIN, 1, '', 255),
  )
  expect((await peer.response(1)).stdout.endsWith(`\r\n\r\nPOST / ${body}${body}`)).toBe(true)
})

test('2: reserved bytes and padding that are not zero are ignored', async () => {
  const { peer } = await connected(echo)
  peer.write(
    [1, TYPES.BEGIN_REQUEST, 0, 1, 0, 8, 5, 0xff],
    [0, 1, 1, 0xff, 0xff, 0xff, 0xff, 0xff],
    [1, 9, 0, 0, 0],
  )
  peer.write(params(1), record(TYPES.STDIN, 1, '', 17))
  expect((await peer.response(1)).stdout).toMatch(/GET \/ $/)
})

test.each([
  [0xff, 'kept open'],
  [0xfe, 'closed'],
])('2: unknown flag bits are ignored: with flags %i the connection is %s', async (flags, after) => {
  const { peer } = await connected(echo)
  peer.get(1, {}, { flags })
  await peer.response(1)
  if (after === 'kept open') await peer.forget().get(1, {}, { flags }).response(1)
  else await peer.end()
})

describe.each([0, 2, 255])('3: version %i', (version) => {
  test('3: the connection is closed without a reply, and others stay open', async () => {
    const serving = await connected(echo)
    const { peer } = serving
    const bad = begin(1)
    bad[0] = version
    peer.write(bad)
    await peer.end()
    expect(peer.records).toEqual([])
    expect(serving.protocolErrors).toEqual(['FCGI_ERR_VERSION'])
    await (await serving.connect()).get(1).response(1)
  })

  test('3: the running requests of the connection are aborted', async () => {
    const app = new App()
    const { peer, protocolErrors } = await connected(app.handler)
    peer.get(1, {}, { keepConn: true })
    const aborted = abortion(await app.next())
    const bad = begin(2)
    bad[0] = version
    peer.write(bad)
    expect(await aborted).toMatchObject({ code: 'FCGI_ERR_PROTOCOL', name: 'AbortError' })
    await peer.end()
    expect(peer.records).toEqual([])
    expect(protocolErrors).toEqual(['FCGI_ERR_VERSION'])
  })
})

test('3: a wrong version is detected by the first byte', async () => {
  const { peer } = await connected(echo)
  peer.write('GET / HTTP/1.1\r\n\r\n')
  await peer.end()
  const { peer: other } = await connected(echo)
  other.write([0])
  await other.end()
})

test('4: output records have at most 65535 bytes of content, a length that is a multiple of 8, and zeros as padding', async () => {
  const body = Buffer.from(Array.from({ length: 300_001 }, (_, i) => i % 251))
  const { peer } = await connected((exchange) => {
    exchange.write(body)
    for (let size = 0; size <= 17; size++) exchange.write('s'.repeat(size))
    exchange.write(body.subarray(0, 65535))
    exchange.write('ü'.repeat(40_000))
    exchange.stderr.write('e'.repeat(70_001))
    exchange.end('end')
  })
  peer.get(1)
  await peer.response(1)
  for (const { content, padding, type } of peer.records) {
    expect(content.length).toBeLessThanOrEqual(65535)
    expect((content.length + padding.length) % 8, `a record of type ${type}`).toBe(0)
    expect(padding.every((byte) => byte === 0)).toBe(true)
  }
  const stdout = peer.content(TYPES.STDOUT, 1)
  const expected = bytes(
    body,
    's'.repeat((17 * 18) / 2),
    body.subarray(0, 65535),
    Buffer.from('ü'.repeat(40_000)),
    'end',
  )
  expect(stdout.subarray(stdout.indexOf('\r\n\r\n') + 4).equals(expected)).toBe(true)
  expect(peer.text(TYPES.STDERR, 1)).toBe('e'.repeat(70_001))
})

test('5: 10,000 empty records in one write cause no recursion and no stall', async () => {
  const { peer } = await connected(echo)
  const many = (id: number, type: number): Buffer => Buffer.concat(Array(10_000).fill(record(type, id)))
  peer.write(many(7, TYPES.STDIN), many(7, TYPES.PARAMS), many(7, TYPES.ABORT_REQUEST))
  peer.write(
    begin(1, { keepConn: true }),
    params(1, POST),
    stream(TYPES.STDIN, 1, 'body'),
    many(1, TYPES.STDIN),
  )
  expect((await peer.response(1)).stdout).toMatch(/POST \/ body$/)
  peer.write(many(1, TYPES.ABORT_REQUEST), many(1, 99))
  await peer.forget().get(1).response(1)
})

describe('6: if the stream ends inside a record', () => {
  const whole = stream(TYPES.STDIN, 3, 'some of the body')
  test.each([
    ['its header', whole.subarray(0, 5)],
    ['its content', whole.subarray(0, 12)],
    ['its padding', record(TYPES.STDIN, 3, 'body', 9).subarray(0, 14)],
  ])('6: in %s, every active request is aborted', async (_, truncated) => {
    const app = new App()
    const { peer, errors, protocolErrors } = await connected(app.handler)
    // The first request has all its input, the second waits for input, and the third has no PARAMS yet.
    peer.get(1, {}, { keepConn: true }).post(3, { CONTENT_LENGTH: '100' }, { keepConn: true }).begin(5)
    const aborted = [abortion(await app.next()), abortion(await app.next())]
    peer.write(truncated).halfClose()
    for (const abort of aborted) expect(await abort).toMatchObject({ code: 'FCGI_ERR_CONNECTION_CLOSED' })
    await peer.close()
    expect(app.exchanges).toHaveLength(2)
    expect(errors).toEqual([])
    expect(protocolErrors).toEqual([])
  })

  test('6: other connections are not affected', async () => {
    const serving = await listen(echo)
    const truncated = await serving.connect()
    const other = await serving.connect()
    truncated.write(params(1, GET).subarray(0, 20)).halfClose()
    await truncated.close()
    await other.get(1).response(1)
  })
})
