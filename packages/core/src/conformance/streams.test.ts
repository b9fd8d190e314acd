// FastCGI 1.0, sections 5.3 and 6.1: the streams of a request.

import { once } from 'node:events'
import {
  begin,
  bytes,
  GET,
  get,
  POST,
  pair,
  pairs,
  params,
  record,
  stream,
  TYPES,
} from '@fcgi-bridge/testing'
import { expect, test } from 'vitest'
import { App, connected, deferred, echo, readAll } from '../testing/serving.ts'

test('32: an empty response has one end of STDOUT, and no STDERR record', async () => {
  const { peer } = await connected((exchange) => exchange.end())
  peer.get(1)
  await peer.end()
  const stdout = peer.records.filter(({ type }) => type === TYPES.STDOUT)
  expect(stdout.map(({ content }) => content.length > 0)).toEqual([true, false])
  expect(peer.records.filter(({ type }) => type === TYPES.STDERR)).toEqual([])
})

test('32: a response with status 204, in pieces, has one end of STDOUT', async () => {
  const { peer } = await connected((exchange) => {
    exchange.writeHead(204)
    exchange.flush()
    exchange.write('')
    exchange.write('dropped')
    exchange.end('')
  })
  peer.get(1)
  await peer.end()
  expect(peer.text(TYPES.STDOUT, 1)).toBe('Status: 204 No Content\r\n\r\n')
  expect(
    peer.records.filter(({ type, content }) => type === TYPES.STDOUT && content.length === 0),
  ).toHaveLength(1)
})

test('33: the order is kept in interleaved STDOUT and STDERR', async () => {
  const numbers = Array.from({ length: 500 }, (_, i) => `${i} `)
  const { peer } = await connected((exchange) => {
    for (const number of numbers) {
      exchange.write(number)
      exchange.stderr.write(number)
    }
    exchange.end()
  })
  peer.get(1)
  const { stdout, stderr } = await peer.response(1)
  expect(stdout).toBe(`Status: 200 OK\r\n\r\n${numbers.join('')}`)
  expect(stderr).toBe(numbers.join(''))
  const types = peer.records.slice(1, 20).map(({ type }) => type)
  expect(types).toContain(TYPES.STDOUT)
  expect(types).toContain(TYPES.STDERR)
})

test('34: a flood of STDERR is subject to back-pressure while the peer does not read, and is sent when it reads', async () => {
  const app = new App()
  const { peer, sockets } = await connected(app.handler, { maxStderrBytes: Number.POSITIVE_INFINITY })
  peer.get(1)
  const { stderr, ...exchange } = await floodable(app)
  peer.socket.pause()
  const line = 'e'.repeat(8192)
  let written = 0
  while (stderr.write(line)) {
    written++
    if (written % 64 === 0) await new Promise(setImmediate)
  }
  written++
  // The streams of both ends limit the buffered bytes.
  expect(stderr.writableLength + sockets[0]!.writableLength).toBeLessThan(1024 * 1024)
  const drained = once(stderr, 'drain')
  peer.socket.resume()
  await drained
  exchange.end()
  expect((await peer.response(1)).stderr).toHaveLength(written * line.length)

  async function floodable(
    from: App,
  ): Promise<{ stderr: NodeJS.WritableStream & { writableLength: number }; end: () => void }> {
    const next = await from.next()
    return { stderr: next.stderr, end: () => next.end() }
  }
})

test('35: a second end of PARAMS, and PARAMS and STDIN after their end are ignored', async () => {
  const app = new App()
  const { peer, protocolErrors } = await connected(app.handler)
  const late = record(TYPES.PARAMS, 1, pair('REQUEST_METHOD', 'DELETE'))
  peer.write(begin(1), params(1, POST), record(TYPES.PARAMS, 1), late, record(TYPES.PARAMS, 1))
  peer.write(stream(TYPES.STDIN, 1, 'body'), record(TYPES.STDIN, 1), late)
  peer.write(stream(TYPES.STDIN, 1, 'more'), record(TYPES.STDIN, 1), record(TYPES.PARAMS, 1))
  const exchange = await app.next()
  exchange.end(`${exchange.method} ${await readAll(exchange.stdin)}`)
  expect((await peer.response(1)).stdout).toMatch(/\r\n\r\nPOST body$/)
  expect(app.exchanges).toHaveLength(1)
  expect(protocolErrors).toEqual([])
})

const BODY = record(TYPES.STDIN, 1, 'early')
const END = record(TYPES.STDIN, 1)
const all = (length: string): Buffer => pairs(Object.entries({ ...POST, CONTENT_LENGTH: length }))

test.each<[string, Buffer[]]>([
  ['before PARAMS', [BODY, END, params(1, { ...POST, CONTENT_LENGTH: '5' })]],
  ['between PARAMS', [record(TYPES.PARAMS, 1, all('5')), BODY, record(TYPES.PARAMS, 1), END]],
  ['partly between PARAMS', [record(TYPES.PARAMS, 1, all('10')), BODY, record(TYPES.PARAMS, 1), BODY, END]],
  [
    'before PARAMS, longer than CONTENT_LENGTH',
    [BODY, BODY, params(1, { ...POST, CONTENT_LENGTH: '5' }), END],
  ],
])('35: STDIN that arrives %s is the body', async (title, rest) => {
  const { peer } = await connected(echo)
  peer.write(begin(1), ...rest)
  const body = title.startsWith('partly') ? 'earlyearly' : 'early'
  expect((await peer.response(1)).stdout).toMatch(new RegExp(`\\r\\n\\r\\nPOST / ${body}$`))
})

test('35: STDIN that is too short and ends before PARAMS is an error for the reader', async () => {
  const app = new App()
  const { peer } = await connected(app.handler)
  peer.write(begin(1), BODY, END, params(1, { ...POST, CONTENT_LENGTH: '6' }))
  await expect(readAll((await app.next()).stdin)).rejects.toMatchObject({ code: 'FCGI_ERR_BODY_LENGTH' })
})

test('51: requests can finish out of order', async () => {
  // Appendix B, example 4: of two requests on one connection, the second ends first.
  const app = new App()
  const { peer } = await connected(app.handler)
  peer.write(begin(1, { keepConn: true }), params(1), begin(2, { keepConn: true }), params(2))
  peer.write(record(TYPES.STDIN, 1), record(TYPES.STDIN, 2))
  const [one, two] = [await app.next(), await app.next()]
  one.write('one ')
  two.end('two')
  expect((await peer.response(2)).stdout).toMatch(/\r\n\r\ntwo$/)
  one.end('one')
  expect((await peer.response(1)).stdout).toMatch(/\r\n\r\none one$/)
})

test('51: an unread body does not block other requests, up to maxBufferedPerRequest', async () => {
  const app = new App()
  const { peer } = await connected(app.handler)
  const window = 512 * 1024
  peer.post(1, { CONTENT_LENGTH: String(window) }, { keepConn: true })
  const stalled = await app.next()
  peer.write(stream(TYPES.STDIN, 1, Buffer.alloc(window, 'w')))
  for (let i = 0; i < 5; i++) {
    peer.write(get(3, {}, { keepConn: true }))
    ;(await app.next()).end('other')
    expect((await peer.response(3)).stdout).toMatch(/other$/)
    peer.forget()
  }
  const sent = deferred()
  peer.socket.write(bytes(record(TYPES.STDIN, 1)), () => sent.resolve())
  await sent.promise
  stalled.end(String((await readAll(stalled.stdin)).length))
  expect((await peer.response(1)).stdout).toMatch(new RegExp(`\\r\\n\\r\\n${window}$`))
  expect({ ...stalled.params }).toMatchObject({ ...GET, REQUEST_METHOD: 'POST' })
})
