// FastCGI 1.0, section 3.3: request ids.

import { once } from 'node:events'
import { begin, params, record, stream, TYPES } from '@fcgi-bridge/testing'
import { expect, test } from 'vitest'
import { App, abortion, connected, echo, readAll } from '../testing/serving.ts'

test.each([
  ['PARAMS', TYPES.PARAMS],
  ['STDIN', TYPES.STDIN],
  ['DATA', TYPES.DATA],
  ['ABORT_REQUEST', TYPES.ABORT_REQUEST],
])('7: %s for an inactive id is ignored, and the connection stays open', async (_, type) => {
  const { peer } = await connected(echo)
  peer.write(record(type, 1, 'content', 1), record(type, 1), record(type, 65535, 'content'))
  peer.get(1)
  expect((await peer.response(1)).stdout).toMatch(/GET \/ $/)
  expect(peer.recordsOf(65535)).toEqual([])
})

test('8: the ids 1, 255, 256 and 65535 work at the same time', async () => {
  const app = new App()
  const { peer } = await connected(app.handler)
  const ids = [1, 255, 256, 65535]
  for (const id of ids) peer.get(id, {}, { keepConn: true })
  for (const id of ids) {
    const exchange = await app.next()
    expect(exchange.requestId).toBe(id)
    exchange.end(`response ${id}`)
  }
  for (const id of ids) expect((await peer.response(id)).stdout).toMatch(new RegExp(`response ${id}$`))
})

test('8: BEGIN_REQUEST with id 0 is a protocol error, never a request', async () => {
  const app = new App()
  const { peer, protocolErrors } = await connected(app.handler)
  peer.get(0)
  await peer.end()
  expect(protocolErrors).toEqual(['FCGI_ERR_NULL_REQUEST_ID'])
  expect(peer.records).toEqual([])
  expect(app.exchanges).toEqual([])
})

test('9: BEGIN_REQUEST with an active id is a protocol error, and the running request is not corrupted', async () => {
  const app = new App()
  const { peer, server } = await connected(app.handler)
  peer.get(1, { REQUEST_URI: '/first' }, { keepConn: true })
  const exchange = await app.next()
  peer.get(1, { REQUEST_URI: '/second' }, { keepConn: true })
  const [error] = await once(server, 'protocolError')
  expect(error).toMatchObject({ name: 'ProtocolError', code: 'FCGI_ERR_ACTIVE_REQUEST_ID' })
  expect(exchange.aborted).toBe(false)
  exchange.end(exchange.target)
  expect((await peer.response(1)).stdout).toMatch(/\/first$/)
  await peer.end()
  expect(app.exchanges).toHaveLength(1)
})

test('9: BEGIN_REQUEST with an active id aborts a request whose body is incomplete', async () => {
  const app = new App()
  const { peer } = await connected(app.handler)
  peer.post(1, { CONTENT_LENGTH: '10' }, { keepConn: true }).stdin(1, 'half')
  const exchange = await app.next()
  const aborted = abortion(exchange)
  const body = readAll(exchange.stdin)
  peer.begin(1)
  expect(await aborted).toMatchObject({ code: 'FCGI_ERR_PROTOCOL' })
  await expect(body).rejects.toMatchObject({ code: 'FCGI_ERR_PROTOCOL' })
  await peer.end()
})

test('10: the same id right after END_REQUEST is a clean request', async () => {
  const { peer } = await connected(echo)
  for (let i = 0; i < 50; i++) {
    peer.post(
      1,
      { REQUEST_URI: `/${i}`, [`HTTP_X_${i}`]: 'x', CONTENT_LENGTH: String(i) },
      { keepConn: true },
    )
    peer.stdin(1, 'b'.repeat(i)).endStdin(1)
    const { stdout } = await peer.response(1)
    expect(stdout.slice(stdout.indexOf('\r\n\r\n') + 4)).toBe(`POST /${i} ${'b'.repeat(i)}`)
    peer.forget()
  }
})

test('10: STDIN for an id whose response ended early is ignored', async () => {
  const app = new App()
  const { peer } = await connected(app.handler)
  peer.post(1, { CONTENT_LENGTH: '1000' }, { keepConn: true })
  const early = await app.next()
  early.end('early')
  // END_REQUEST is sent although STDIN has not ended, because the front server pauses.
  expect((await peer.response(1)).stdout).toMatch(/early$/)
  peer.forget().stdin(1, 'late').endStdin(1)
  peer.post(1, { CONTENT_LENGTH: '5' }, { keepConn: true }).stdin(1, 'clean').endStdin(1)
  const next = await app.next()
  next.end(await readAll(next.stdin))
  expect((await peer.response(1)).stdout).toMatch(/\r\n\r\nclean$/)
})

test.each(['end', 'abort'] as const)(
  '11: output of the app after %s is never sent with the reused id',
  async (how) => {
    const app = new App()
    const { peer } = await connected(app.handler)
    peer.get(1, {}, { keepConn: true })
    const first = await app.next()
    if (how === 'end') first.end('first')
    else peer.abort(1)
    await peer.response(1)
    peer.forget().get(1, {}, { keepConn: true })
    const second = await app.next()

    first.writeHead(418, ['X-Late', '1'])
    expect(first.write('late')).toBe(false)
    first.flush()
    first.stderr.write('late')
    first.fail(new Error('late'))
    first.end('late')
    expect(await new Promise((resolve) => first.write('late', resolve))).toBeInstanceOf(Error)
    expect(await new Promise((resolve) => first.end('late', resolve))).toBeInstanceOf(Error)

    second.end('second')
    expect(await peer.response(1)).toEqual({
      stdout: 'Status: 200 OK\r\n\r\nsecond',
      stderr: '',
      appStatus: 0,
      protocolStatus: 0,
    })
    expect(peer.records.filter(({ type }) => type === TYPES.END_REQUEST)).toHaveLength(1)
  },
)

test('11: output that the app writes inside onAbort is dropped', async () => {
  const app = new App()
  const { peer } = await connected((exchange) => {
    exchange.onAbort = () => {
      exchange.write('late')
      exchange.end('late')
    }
    app.handler(exchange)
  })
  peer.write(begin(1), params(1), stream(TYPES.STDIN, 1, 'x'))
  await app.next()
  peer.abort(1)
  const { stdout } = await peer.response(1)
  expect(stdout).toBe('')
  await peer.end()
})
