// Tests the lines of the checklist that an app can observe through either adapter, over raw bytes. The title of a test begins with the
// number of its line, as in packages/core/src/conformance.
import { once } from 'node:events'
import { begin, bytes, GET, POST, pair, pairs, params, record, stream, TYPES } from '@fcgi-bridge/testing'
import { describe, expect, test } from 'vitest'
import { ABORTED, ADAPTERS, AdaptedApp } from './adapted-app.ts'

const KEEP = { keepConn: true }
const NOT_ABORTED = expect.objectContaining({ aborted: 0 })

describe.each(ADAPTERS)('%s', (name) => {
  test('1: a request that arrives one byte at a time', async () => {
    const { app, peer } = await connected()
    const all = bytes(begin(1), params(1, { ...POST, CONTENT_LENGTH: '4' }), record(TYPES.STDIN, 1, 'body'))
    for (const byte of bytes(all, record(TYPES.STDIN, 1))) {
      peer.write([byte])
      await new Promise(setImmediate)
    }
    const request = await app.next()
    expect(request).toMatchObject({ method: 'POST', url: '/' })
    request.respond(await request.body())
    expect((await peer.response(1)).stdout).toMatch(/\r\n\r\nbody$/)
  })

  test('6: the end of the connection in the middle of a record aborts the request, and reading its body fails', async () => {
    const { app, peer } = await connected()
    peer.post(1, { CONTENT_LENGTH: '100' }, KEEP).write(record(TYPES.STDIN, 1, 'cut short').subarray(0, 12))
    const request = await app.next()
    const body = expect(request.body()).rejects.toThrow()
    peer.halfClose()
    await Promise.all([body, request.aborted])
    expect(request.events).toMatchObject({ aborted: 1 })
  })

  test.each(['end', 'abort'])(
    '11: writes after the %s of a request never reach a request that reuses its id',
    async (how) => {
      const { app, peer } = await connected()
      peer.get(1, {}, KEEP)
      const first = await app.next()
      if (how === 'end') first.respond('first')
      else peer.abort(1)
      await peer.response(1)
      peer.forget().get(1, {}, KEEP)
      const second = await app.next()
      // The app does not notice the abort, or ignores it.
      try {
        first.write('late')
        first.end()
      } catch (error) {
        expect(error).toBeInstanceOf(TypeError)
      }
      second.respond('second')
      expect((await peer.response(1)).stdout).toMatch(/\r\n\r\nsecond$/)
      expect(peer.text(TYPES.STDOUT, 1)).not.toContain('late')
    },
  )

  test('12, 13, 14: params with lengths of both forms, split anywhere', async () => {
    const { app, peer } = await connected()
    const long = 'v'.repeat(70_000)
    const block = bytes(
      pair('SHORT', 'form', 4, 4),
      pair('EMPTY', ''),
      pair('', 'no name'),
      pair('LONG', long),
    )
    const all = bytes(pairs(Object.entries(GET)), block)
    for (const at of [1, 40, all.length - 70_010, all.length - 70_003, all.length - 1]) {
      peer.write(begin(1, KEEP), stream(TYPES.PARAMS, 1, all.subarray(0, at)))
      peer.write(stream(TYPES.PARAMS, 1, all.subarray(at)), record(TYPES.PARAMS, 1), record(TYPES.STDIN, 1))
      const request = await app.next()
      expect(request.params).toMatchObject({ ...GET, SHORT: 'form', EMPTY: '', '': 'no name' })
      expect(request.params.LONG === long).toBe(true)
      request.respond('')
      await peer.response(1)
      peer.forget()
    }
  })

  test.each([
    ['15: a length that exceeds the rest', bytes([1], [0xff, 0xff, 0xff, 0xff], 'x')],
    ['16: a truncated pair', bytes([4, 5], 'NAMEval')],
    ['17: a NUL', pair('NAME', 'a\0b')],
    ['17: a header with a line feed', pair('HTTP_X', 'a\nb: c')],
  ])('%s in PARAMS: a 400, and the app is not called', async (_, block) => {
    const { app, peer } = await connected()
    peer.write(begin(1), stream(TYPES.PARAMS, 1, bytes(pairs(Object.entries(GET)), block)))
    peer.write(record(TYPES.PARAMS, 1), record(TYPES.STDIN, 1))
    expect((await peer.response(1)).stdout).toMatch(/^Status: 400 /)
    expect(app.requests).toEqual([])
  })

  test('17: bytes from 0x80 to 0xFF are one character each in params and headers', async () => {
    const { app, peer } = await connected()
    const high = String.fromCharCode(...Array.from({ length: 128 }, (_, i) => i + 0x80))
    peer.get(1, { HIGH: high, HTTP_X_HIGH: high })
    const request = await app.next()
    expect(request.params.HIGH).toBe(high)
    expect(request.header('x-high')).toBe(high)
    request.respond('')
  })

  test('18: repeated headers are joined as in Node, and no name has a special meaning', async () => {
    const { app, peer } = await connected()
    const repeated = Object.entries({ HTTP_COOKIE: 'a=1', HTTP_X_LIST: '1', HTTP_USER_AGENT: 'first' })
    const again = Object.entries({ HTTP_COOKIE: 'b=2', HTTP_X_LIST: '2', HTTP_USER_AGENT: 'second' })
    const odd = bytes(pair('__proto__', 'p'), pair('constructor', 'c'), pair('toString', 't'))
    peer.write(
      begin(1),
      stream(TYPES.PARAMS, 1, bytes(pairs([...Object.entries(GET), ...repeated, ...again]), odd)),
    )
    peer.write(record(TYPES.PARAMS, 1), record(TYPES.STDIN, 1))
    const request = await app.next()
    expect(request.header('cookie')).toBe('a=1; b=2')
    expect(request.header('x-list')).toBe('1, 2')
    // Headers joins repeated values, also for fields that node:http keeps single.
    expect(request.header('user-agent')).toBe(name === 'Express' ? 'first' : 'first, second')
    expect(Object.entries(request.params).slice(-3)).toEqual([
      ['__proto__', 'p'],
      ['constructor', 'c'],
      ['toString', 't'],
    ])
    request.respond('')
  })

  test('19, 22: a request body that the app does not read is skipped, and the next request is handled', async () => {
    const { app, peer } = await connected()
    const size = 4 * 1024 * 1024
    peer.post(1, { CONTENT_LENGTH: String(size) }, KEEP)
    ;(await app.next()).respond('unread')
    await peer.stdout(1, 'unread')
    peer.stdin(1, Buffer.alloc(size)).endStdin(1)
    await peer.response(1)
    peer.forget().post(1, { CONTENT_LENGTH: '4' }).stdin(1, 'next').endStdin(1)
    const next = await app.next()
    next.respond(await next.body())
    expect((await peer.response(1)).stdout).toMatch(/\r\n\r\nnext$/)
    await peer.end()
  })

  test('20, 51: requests that finish out of order, the first without KEEP_CONN', async () => {
    const { app, peer } = await connected()
    peer.get(1, {}, KEEP).get(2).get(3, {}, KEEP)
    const [one, two, three] = [await app.next(), await app.next(), await app.next()]
    one.write('one ')
    await peer.stdout(1, 'one ')
    two.respond('two')
    expect((await peer.response(2)).stdout).toMatch(/two$/)
    expect([one.events, three.events]).toEqual([NOT_ABORTED, NOT_ABORTED])
    three.respond('three')
    expect((await peer.response(3)).stdout).toMatch(/three$/)
    one.write('whole')
    one.end()
    expect((await peer.response(1)).stdout).toMatch(/one whole$/)
    await peer.end()
  })

  test('21: a front server that half-closes after its request does not abort it', async () => {
    const { app, peer } = await connected()
    peer.post(1, { CONTENT_LENGTH: '4' }).stdin(1, 'body').endStdin(1).halfClose()
    const request = await app.next()
    const body = await request.body()
    request.write('first ')
    await peer.stdout(1, 'first ')
    request.write(body)
    request.end()
    expect((await peer.response(1)).stdout).toMatch(/first body$/)
    expect(request.events).toEqual(NOT_ABORTED)
  })

  test.each([
    ['24: GET_VALUES', record(TYPES.GET_VALUES, 0, pair('FCGI_MAX_REQS', ''))],
    ['25: an unknown type', record(99, 0, 'content')],
    [
      '26: types that applications send, with the id of the request',
      bytes(record(TYPES.STDOUT, 1, 'x'), record(TYPES.END_REQUEST, 1, '12345678')),
    ],
    [
      '35: PARAMS after their end',
      bytes(record(TYPES.PARAMS, 1, pair('REQUEST_METHOD', 'PUT')), record(TYPES.PARAMS, 1)),
    ],
  ])('%s in the middle of a request: the app does not notice', async (_, inside) => {
    const { app, peer } = await connected()
    peer.post(1, { CONTENT_LENGTH: '8' }).stdin(1, 'body').write(inside).stdin(1, 'more').endStdin(1)
    const request = await app.next()
    expect(await request.body()).toBe('bodymore')
    expect(request.method).toBe('POST')
    request.respond('response')
    expect((await peer.response(1)).stdout).toMatch(/response$/)
    expect(app.requests).toHaveLength(1)
  })

  test.each([
    ['27: an unknown role', { role: 4 }, {}, 3],
    ['30: more than maxRequests', {}, { maxRequests: 1 }, 2],
    ['29: a second request without multiplexing', {}, { multiplex: false }, 1],
  ])('%s: the app is not called', async (title, beginOptions, options, protocolStatus) => {
    const { app, peer } = await connected(options)
    if (!title.startsWith('27')) {
      peer.get(7, {}, KEEP)
      await app.next()
    }
    const before = app.requests.length
    peer.get(1, {}, { ...KEEP, ...beginOptions })
    expect(await peer.response(1)).toMatchObject({
      stdout: expect.stringMatching(/^Status: 50[03] /),
      protocolStatus,
    })
    expect(app.requests).toHaveLength(before)
    if (before > 0) expect(app.requests[0]!.events).toEqual(NOT_ABORTED)
  })

  test('33, 34: STDERR has back-pressure while the front server does not read, and all of it arrives', async () => {
    const { app, peer } = await connected({ maxStderrBytes: Number.POSITIVE_INFINITY })
    peer.get(1)
    const request = await app.next()
    peer.socket.pause()
    const line = 'e'.repeat(8192)
    let lines = 1
    while (request.stderr.write(line)) {
      if (lines++ % 64 === 0) await new Promise(setImmediate)
    }
    const drained = once(request.stderr, 'drain')
    peer.socket.resume()
    await drained
    request.respond('response')
    const { stdout, stderr } = await peer.response(1)
    expect(stderr).toHaveLength(lines * line.length)
    expect(stdout).toMatch(/response$/)
  })

  test('36: ABORT_REQUEST before the end of PARAMS: the app is not called', async () => {
    const { app, peer } = await connected()
    peer.write(begin(1, KEEP), params(1).subarray(0, -8)).abort(1)
    await peer.response(1)
    peer.forget().params(1).endStdin(1).get(3)
    ;(await app.next()).respond('')
    await peer.response(3)
    expect(app.requests).toHaveLength(1)
  })

  describe('37: ABORT_REQUEST causes one abort event and one END_REQUEST', () => {
    test.each(['during STDIN', 'after STDIN', 'after the response head'])('37: %s', async (when) => {
      const { app, peer } = await connected()
      peer.post(1, { CONTENT_LENGTH: '8' }, KEEP).stdin(1, when === 'during STDIN' ? 'half' : 'complete')
      if (when !== 'during STDIN') peer.endStdin(1)
      const request = await app.next()
      const body = request.body()
      if (when === 'during STDIN') body.catch(() => {})
      else expect(await body).toBe('complete')
      if (when === 'after the response head') {
        request.write('begun')
        await peer.stdout(1, 'begun')
      }
      // Line 38: two ABORT_REQUEST records, one of them with content.
      peer.abort(1).abort(1, 'again')
      await Promise.all([request.aborted, peer.response(1)])
      if (when === 'during STDIN') await expect(body).rejects.toThrow()
      peer.get(3, {}, KEEP)
      ;(await app.next()).respond('next')
      await peer.response(3)
      // As with node:http, a request that was read to its end emits no 'aborted'. Its response emits 'close'.
      const isRead = name === 'Express' && when !== 'during STDIN'
      expect(request.events).toEqual({ ...ABORTED[name], ...(isRead && { aborted: 0 }) })
      expect(peer.records.filter(({ type }) => type === TYPES.END_REQUEST).map(({ id }) => id)).toEqual([
        1, 3,
      ])
    })
  })

  test('38: ABORT_REQUEST for one of two requests does not affect the other', async () => {
    const { app, peer } = await connected()
    peer.get(1, {}, KEEP).get(2, {}, KEEP)
    const [one, two] = [await app.next(), await app.next()]
    peer.abort(1)
    await one.aborted
    expect(two.events).toEqual(NOT_ABORTED)
    two.respond('two')
    expect((await peer.response(2)).stdout).toMatch(/two$/)
  })

  test('39: ABORT_REQUEST is processed while the app does not read the request body', async () => {
    const { app, peer } = await connected()
    peer.post(1, { CONTENT_LENGTH: '100000000' }, KEEP)
    const request = await app.next()
    peer.stdin(1, Buffer.alloc(256 * 1024)).abort(1)
    await Promise.all([request.aborted, peer.response(1)])
    expect(request.events).toEqual(ABORTED[name])
  })

  test('39: the end of the connection is detected while reading is paused because the app does not read', async () => {
    const { app, peer } = await connected()
    peer.post(1, { CONTENT_LENGTH: '100000000' }, KEEP)
    const request = await app.next()
    peer.stdin(1, Buffer.alloc(16 * 1024 * 1024))
    await peer.paused()
    peer.destroy()
    await request.aborted
    expect(request.events).toEqual(ABORTED[name])
  })

  test('40: the end of the connection aborts each of its requests once, and no other request', async () => {
    const { app, peer } = await connected()
    const neighbour = await app.connect()
    peer.get(1, {}, KEEP).get(2, {}, KEEP)
    const ours = [await app.next(), await app.next()]
    neighbour.get(1)
    const other = await app.next()
    peer.destroy()
    await Promise.all(ours.map(({ aborted }) => aborted))
    other.respond('other')
    expect((await neighbour.response(1)).stdout).toMatch(/other$/)
    for (const { events } of ours) expect(events).toEqual(ABORTED[name])
    expect(other.events).toEqual(NOT_ABORTED)
  })

  test.each([
    ['longer than CONTENT_LENGTH is truncated', '4', 'body and more', 'body'],
    ['without CONTENT_LENGTH is all of STDIN', '', 'body and more', 'body and more'],
  ])('41: a request body %s', async (_, length, sent, received) => {
    const { app, peer } = await connected()
    peer.post(1, { CONTENT_LENGTH: length }).stdin(1, sent).endStdin(1)
    const request = await app.next()
    expect(await request.body()).toBe(received)
    request.respond('')
    await peer.response(1)
  })

  test('41: a request body shorter than CONTENT_LENGTH is an error, and the app can still respond', async () => {
    const { app, peer } = await connected()
    peer.post(1, { CONTENT_LENGTH: '100' }).stdin(1, 'short').endStdin(1)
    const request = await app.next()
    await expect(request.body()).rejects.toThrow()
    request.respond('what was that?')
    expect((await peer.response(1)).stdout).toMatch(/what was that\?$/)
  })

  test('42, 45: a response can begin before STDIN ends, and has no Transfer-Encoding or Connection', async () => {
    const { app, peer } = await connected()
    peer.post(1, { CONTENT_LENGTH: '4' }, KEEP)
    const request = await app.next()
    request.write('begun ')
    await peer.stdout(1, 'begun ')
    peer.stdin(1, 'body').endStdin(1)
    request.write(await request.body())
    request.end()
    const { stdout } = await peer.response(1)
    expect(stdout).toMatch(/^Status: 200 OK\r\n[\s\S]*\r\nbegun body$/)
    expect(stdout).not.toMatch(/HTTP\/1|transfer-encoding|connection/i)
  })

  async function connected(
    options = {},
  ): Promise<{ app: AdaptedApp; peer: Awaited<ReturnType<AdaptedApp['connect']>> }> {
    const app = await AdaptedApp.listen(name, options)
    return { app, peer: await app.connect() }
  }
})
