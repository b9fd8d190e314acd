import { Readable } from 'node:stream'
import type { ResponderRequest } from '@fcgi-bridge/testing'
import { errors, request } from 'undici'
import { describe, expect, test } from 'vitest'
import { FastCgiDispatcher } from './dispatcher.ts'
import { createGateway } from './gateway/gateway.ts'
import { open, raw } from './testing/gateway.ts'
import { setup } from './testing/setup.ts'

const URL_ = 'http://app.test/'
const PHP = { scriptFilename: '/srv/index.php' }

async function echo(r: ResponderRequest): Promise<void> {
  const { CONTENT_LENGTH, HTTP_TRANSFER_ENCODING } = r.params
  const body = await r.body()
  r.respond(`\r\n${CONTENT_LENGTH} ${HTTP_TRANSFER_ENCODING} ${body}`)
}

async function* pieces(...list: string[]): AsyncGenerator<string> {
  for (const piece of list) yield piece
}

/** A stream that produces `text` and does not end, and a promise for its destruction. */
function endless(text: string): { body: Readable; destroyed: Promise<unknown> } {
  const body = new Readable({ read() {} })
  body.push(text)
  return { body, destroyed: new Promise((resolve) => body.on('close', resolve)) }
}

describe('a request body without a length', () => {
  test.each([
    ['scriptFilename', PHP, '3 undefined abc'],
    ['splitPath', { documentRoot: '/srv', splitPath: ['.php'], tryFiles: false }, '3 undefined abc'],
    ['maxBufferedBody', { maxBufferedBody: 3 }, '3 undefined abc'],
    ['none of these', {}, 'undefined chunked abc'],
    ['maxBufferedBody: false', { ...PHP, maxBufferedBody: false as const }, 'undefined chunked abc'],
  ])('with %s', async (_, options, expected) => {
    const { dispatcher } = await setup(echo, options)
    for (const body of [pieces('a', '', 'bc'), Readable.from(['ab', 'c'])]) {
      const response = await request(URL_, { dispatcher, method: 'POST', body: body as never })
      expect(await response.body.text()).toBe(expected)
    }
  })

  test('an empty body has the length 0', async () => {
    const { dispatcher } = await setup(echo, PHP)
    const response = await request(URL_, { dispatcher, method: 'POST', body: pieces() as never })
    expect(await response.body.text()).toBe('0 undefined ')
  })

  test('many small chunks', async () => {
    const { dispatcher } = await setup(echo, PHP)
    const body = Readable.from(Array.from({ length: 100_000 }, (_, i) => Buffer.from([97 + (i % 26)])))
    const response = await request(URL_, { dispatcher, method: 'POST', body })
    const [length, , text] = (await response.body.text()).split(' ')
    expect(length).toBe('100000')
    expect(text).toBe('abcdefghijklmnopqrstuvwxyz'.repeat(3847).slice(0, 100_000))
  })

  test('a body longer than maxBufferedBody is an error, and nothing is sent to the application', async () => {
    const { dispatcher, responder } = await setup(echo, { maxBufferedBody: 3 })
    const { body, destroyed } = endless('abcd')
    await expect(request(URL_, { dispatcher, method: 'POST', body })).rejects.toMatchObject({
      name: 'FastCgiError',
      code: 'FCGI_ERR_LENGTH_REQUIRED',
      message: 'The request body has no Content-Length and is longer than maxBufferedBody (3 bytes).',
    })
    await destroyed
    expect(responder.sockets).toHaveLength(0)
  })

  test('a body with a length is streamed, even if it is long', async () => {
    const { dispatcher } = await setup(echo, { maxBufferedBody: 3 })
    const response = await request(URL_, {
      dispatcher,
      method: 'POST',
      headers: { 'content-length': '6' },
      body: pieces('abc', 'def') as never,
    })
    expect(await response.body.text()).toBe('6 undefined abcdef')
  })

  test('a body that fails, or an abort, ends the request before it is sent', async () => {
    const { dispatcher, responder } = await setup(echo, PHP)
    const failing = new Readable({ read: () => failing.destroy(new Error('disk gone')) })
    await expect(request(URL_, { dispatcher, method: 'POST', body: failing })).rejects.toThrow('disk gone')
    const { body, destroyed } = endless('abc')
    const controller = new AbortController()
    const { signal } = controller
    body.once('resume', () => controller.abort())
    await expect(request(URL_, { dispatcher, method: 'POST', body, signal })).rejects.toMatchObject({
      name: 'AbortError',
    })
    await destroyed
    expect(responder.sockets).toHaveLength(0)
  })

  test('a request that CGI cannot express fails when its body is complete', async () => {
    const { dispatcher } = await setup(echo, PHP)
    const refused = request(`${URL_}%00`, { dispatcher, method: 'POST', body: pieces('a') as never })
    await expect(refused).rejects.toMatchObject({ code: 'FCGI_ERR_REQUEST' })
  })

  test('close() waits for the request, and destroy() fails it', async () => {
    const { dispatcher } = await setup(echo, PHP)
    const { body } = endless('abc')
    const response = request(URL_, { dispatcher, method: 'POST', body })
    const closed = dispatcher.close()
    body.push(null)
    expect(await (await response).body.text()).toBe('3 undefined abc')
    await closed

    const other = await setup(echo, PHP)
    const held = request(URL_, { dispatcher: other.dispatcher, method: 'POST', body: endless('abc').body })
    const failed = expect(held).rejects.toThrow(errors.ClientDestroyedError)
    const closing = other.dispatcher.close()
    await other.dispatcher.destroy()
    await failed
    await closing
  })
})

describe('the gateway', () => {
  const CHUNKED = 'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n'

  test('a chunked upload gets a length, and is a 411 beyond maxBufferedBody', async () => {
    const { port, errors: seen } = await open(echo, { ...PHP, maxBufferedBody: 4, exposeErrors: false })
    expect(await raw(port, `${CHUNKED}3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n`)).toMatch(
      /\r\n\r\n(?:.*\r\n)?4 undefined abcd/,
    )
    const refusal = await raw(port, `${CHUNKED}5\r\nabcde\r\n0\r\n\r\n`)
    expect(refusal).toMatch(/^HTTP\/1\.1 411 Length Required\r\n/)
    expect(refusal).toContain('send a Content-Length')
    expect(seen).toMatchObject([{ code: 'FCGI_ERR_LENGTH_REQUIRED' }])
  })
})

describe('options', () => {
  test.each([
    [{ maxConnection: 4 }, /has no option "maxConnection"\. Its options are maxConnections, /],
    [{ path: '/run/app.sock' }, /has no option "path"/],
    [null, /must be an object/],
    [9000, /must be an object/],
    [{ headersTimeout: '5000' }, /headersTimeout must be a number of 0 or more, but is "5000"/],
    [{ idleTimeout: -1 }, /idleTimeout must be/],
    [{ maxHeaderSize: Number.NaN }, /maxHeaderSize must be/],
    [{ maxBufferedBody: -1 }, /maxBufferedBody must be a number of bytes, or false/],
    [{ maxBufferedBody: true }, /maxBufferedBody must be/],
    [{ maxBufferedBody: '8m' }, /maxBufferedBody must be/],
  ])('%j is refused', (options, message) => {
    expect(() => new FastCgiDispatcher(9000, options as never)).toThrow(TypeError)
    expect(() => new FastCgiDispatcher(9000, options as never)).toThrow(message)
    expect(() => createGateway(9000, options as never)).toThrow(message)
  })

  test('the dispatcher refuses options of the gateway', () => {
    const options = { onError() {}, exposeErrors: true, localRedirects: false } as object
    expect(() => createGateway(9000, options)).not.toThrow()
    expect(() => new FastCgiDispatcher(9000, options)).toThrow('FastCgiDispatcher has no option "onError"')
  })
})
