import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PassThrough } from 'node:stream'
import * as zlib from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { toHandler } from '../index.ts'
import { ask, Front, type FrontRequest, listen } from '../testing/front.ts'

type Give = () => Response | PromiseLike<Response>

interface Asked {
  request: FrontRequest
  errors: Error[]
}

async function asked(give: Give, method = 'GET'): Promise<Asked> {
  const errors: Error[] = []
  const server = await listen(toHandler(give), { onError: (error) => errors.push(error as Error) })
  const front = await Front.connect(server)
  return { request: front.request({ method }), errors }
}

const FIVE = { headers: { 'content-length': '5' } }
const encoder = new TextEncoder()

// A body in pieces with a turn of the event loop before each, so that the head is sent first.
function pieces(...texts: string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setImmediate(resolve))
      const text = texts.shift()
      if (text === undefined) controller.close()
      else controller.enqueue(encoder.encode(text))
    },
  })
}

function atOnce(...texts: string[]): ReadableStream<Uint8Array> {
  return ReadableStream.from(texts.map((text) => encoder.encode(text)))
}

function nodeBody(...texts: string[]): Response {
  const body = new PassThrough()
  for (const text of texts) body.write(text)
  body.end()
  return { status: 200, headers: new Headers(FIVE.headers), body } as unknown as Response
}

describe('a body that is shorter than its Content-Length', () => {
  test.each<[what: string, give: Give]>([
    ['text', () => new Response('four', FIVE)],
    ['bytes', () => new Response(encoder.encode('four'), FIVE)],
    ['nothing', () => new Response(null, FIVE)],
    ['a stream that ends without waiting', () => new Response(atOnce('fo', 'ur'), FIVE)],
  ])('%s: a 500, because nothing was sent', async (_what, give) => {
    const { request, errors } = await asked(give)
    expect((await request.response()).status).toBe(500)
    expect(errors).toEqual([
      expect.objectContaining({ message: expect.stringMatching(/Content-Length is 5\. Delete/) }),
    ])
  })

  test.each<[what: string, give: Give]>([
    ['a stream', () => new Response(pieces('fo', 'ur'), FIVE)],
    ['an empty stream', () => new Response(pieces(), FIVE)],
    ['a Node stream', () => nodeBody('fo', 'ur')],
  ])('%s: the response is cut off', async (_what, give) => {
    const { request, errors } = await asked(give)
    await request.cut()
    expect(errors).toEqual([
      expect.objectContaining({
        message: expect.stringMatching(/has [04] bytes, but the Content-Length is 5/),
      }),
    ])
  })

  test('is correct if the response has no body: HEAD, 304', async () => {
    const head = await asked(() => new Response('', FIVE), 'HEAD')
    expect((await head.request.response()).header('content-length')).toBe('5')
    const notModified = await asked(() => new Response(null, { ...FIVE, status: 304 }))
    expect((await notModified.request.response()).status).toBe(304)
    expect([...head.errors, ...notModified.errors]).toEqual([])
  })

  test.each(['X-Sendfile', 'X-Accel-Redirect', 'X-LIGHTTPD-send-tempfile'])(
    'is correct if the front server sends the body: %s',
    async (name) => {
      const headers = { ...FIVE.headers, [name]: '/srv/file' }
      for (const body of [null, pieces()]) {
        const { request, errors } = await asked(() => new Response(body, { headers }))
        expect(await request.response()).toMatchObject({ status: 200, text: '' })
        expect(errors).toEqual([])
      }
      const { request } = await asked(() => new Response('four', { headers }))
      expect((await request.response()).status).toBe(500)
    },
  )
})

describe('a body that is longer than its Content-Length', () => {
  test.each<[what: string, give: Give]>([
    ['text', () => new Response('fïve6', FIVE)],
    ['bytes', () => new Response(encoder.encode('fïve6'), FIVE)],
    ['large bytes', () => new Response(Buffer.from('fïve'.padEnd(20_000)), FIVE)],
    ['a stream that ends without waiting', () => new Response(atOnce('fï', 've6'), FIVE)],
    ['a stream', () => new Response(pieces('fï', 've6', '7'), FIVE)],
    ['a Node stream', () => nodeBody('fï', 've6', '7')],
  ])('%s: ends at the length, and the error is reported', async (_what, give) => {
    const { request, errors } = await asked(give)
    expect(await request.response()).toMatchObject({ status: 200, text: 'fïve' })
    await expect
      .poll(() => errors)
      .toEqual([
        expect.objectContaining({ message: expect.stringMatching(/at least .* Content-Length is 5/) }),
      ])
  })

  test('its stream is cancelled', async () => {
    let cancelled = false
    const body = new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setImmediate(resolve))
        controller.enqueue(encoder.encode('four'))
      },
      cancel() {
        cancelled = true
      },
    })
    const { request } = await asked(() => new Response(body, FIVE))
    expect((await request.response()).text).toBe('fourf')
    await expect.poll(() => cancelled).toBe(true)
  })
})

test.each(['abc', '-1', '5.0', '0x5', '5, 5', ''])('the Content-Length %j is refused', async (value) => {
  for (const body of ['five5', pieces('five5')]) {
    const { request, errors } = await asked(
      () => new Response(body, { headers: { 'content-length': value } }),
    )
    expect((await request.response()).status).toBe(500)
    expect(errors).toEqual([expect.objectContaining({ name: 'TypeError' })])
  }
  const head = await asked(() => new Response(null, { headers: { 'content-length': value } }), 'HEAD')
  expect((await head.request.response()).status).toBe(500)
})

test('a body that matches its Content-Length is sent', async () => {
  for (const give of [
    () => new Response('five5', FIVE),
    () => new Response(pieces('fi', 've5'), FIVE),
    () => nodeBody('fi', 've5'),
  ]) {
    const { request, errors } = await asked(give)
    expect(await request.response()).toMatchObject({ status: 200, text: 'five5' })
    expect(errors).toEqual([])
  }
})

describe('a response of fetch', () => {
  // So short that its compressed form is longer.
  const TEXT = 'small body'
  type Encode = (text: string) => Uint8Array
  const CODINGS: [name: string, encode: Encode][] = [
    ['gzip', zlib.gzipSync],
    ['x-gzip', zlib.gzipSync],
    ['GZIP', zlib.gzipSync],
    ['deflate', zlib.deflateSync],
    ['br', zlib.brotliCompressSync],
    ['gzip, br', (text) => zlib.brotliCompressSync(zlib.gzipSync(text))],
    ['unknown', (text) => Buffer.from(text)],
    ['unknown, gzip', (text) => zlib.gzipSync(text)],
  ]
  const { zstdCompressSync } = zlib as { zstdCompressSync?: Encode }
  if (zstdCompressSync !== undefined) CODINGS.push(['zstd', zstdCompressSync])

  async function upstream(coding: string, encode: Encode, withLength: boolean): Promise<string> {
    const server = createServer((_request, response) => {
      const bytes = encode(TEXT)
      if (withLength) response.setHeader('content-length', bytes.length)
      response.setHeader('content-encoding', coding)
      response.setHeader('content-type', 'text/plain')
      response.end(bytes)
    }).listen(0, '127.0.0.1')
    onTestFinished(() => {
      server.close()
      server.closeAllConnections()
    })
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  }

  test.each(CODINGS)('is sent with the headers of its body: %s', async (coding, encode) => {
    for (const withLength of [true, false]) {
      const url = await upstream(coding, encode, withLength)
      for (const give of [() => fetch(url), () => fetch(url).then((response) => response.clone())]) {
        const { request, errors } = await asked(give)
        const response = await request.response()
        expect([response.status, response.header('content-type'), errors]).toEqual([200, 'text/plain', []])
        if (response.header('content-encoding') === undefined) expect(response.text).toBe(TEXT)
        else expect(response.bytes).toEqual(Buffer.from(encode(TEXT)))
        const length = response.header('content-length')
        if (length !== undefined) expect(length).toBe(String(response.bytes.length))
      }
    }
  })

  test('keeps the headers of a HEAD request', async () => {
    const url = await upstream('gzip', zlib.gzipSync, true)
    const server = await listen(toHandler(() => fetch(url, { method: 'HEAD' })))
    const response = await ask(server, { method: 'HEAD' })
    expect(response.header('content-encoding')).toBe('gzip')
    expect(response.header('content-length')).toBe(String(zlib.gzipSync(TEXT).length))
  })

  test('fails if the app copies its headers, and the error says what to do', async () => {
    const url = await upstream('gzip', zlib.gzipSync, true)
    const { request, errors } = await asked(async () => {
      const response = await fetch(url)
      return new Response(response.body, response)
    })
    await request.response().catch(() => {})
    expect(errors).toEqual([
      expect.objectContaining({ message: expect.stringContaining('headers.delete("content-length")') }),
    ])
    const fixed = await asked(async () => {
      const response = await fetch(url)
      const headers = new Headers(response.headers)
      headers.delete('content-length')
      headers.delete('content-encoding')
      return new Response(response.body, { status: response.status, headers })
    })
    expect((await fixed.request.response()).text).toBe(TEXT)
  })
})
