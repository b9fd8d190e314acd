import { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { crc32 } from 'node:zlib'
import { FastCgiDispatcher, type FastCgiDispatcherOptions } from '@fcgi-bridge/client'
import { FormData, fetch, pipeline, request, stream } from 'undici'
import { afterAll, beforeAll, expect, onTestFailed, onTestFinished, test } from 'vitest'
import type { Peer } from './peer.ts'

/** Differences between kinds of servers. */
interface PeerTraits {
  /** Options that a client needs for the server. */
  readonly options?: FastCgiDispatcherOptions
  /** The server parses multipart forms. */
  readonly readsForms?: boolean
  /** A program can write to FCGI_STDERR. */
  readonly hasStderr?: boolean
}

const ORIGIN = 'http://peer.test'
const MIB = 1024 * 1024

/** Declares the tests of what a client can rely on with every server in tests/support/peers. */
export function testClient(start: () => Promise<Peer>, traits: PeerTraits = {}): void {
  let peer: Peer

  beforeAll(async () => {
    peer = await start()
  })

  afterAll(() => peer.stop())

  function connect(options: FastCgiDispatcherOptions = {}): FastCgiDispatcher {
    const dispatcher = new FastCgiDispatcher(peer.address, { ...traits.options, ...options })
    onTestFinished(() => dispatcher.destroy())
    onTestFailed(() => console.error(peer.site.report()))
    return dispatcher
  }

  test('GET: the program gets the request', async () => {
    const response = await request(`${ORIGIN}/params?a=1&b=%20`, {
      dispatcher: connect(),
      headers: { 'x-custom': 'some thing' },
    })
    expect(response.statusCode).toBe(200)
    const params = (await response.body.text()).split('\n')
    expect(params).toEqual(
      expect.arrayContaining([
        'REQUEST_METHOD=GET',
        'REQUEST_URI=/params?a=1&b=%20',
        'HTTP_HOST=peer.test',
        'HTTP_X_CUSTOM=some thing',
      ]),
    )
  })

  test('consecutive requests, on one connection if the program keeps it', async () => {
    const dispatcher = connect({ maxConnections: 1 })
    for (let i = 0; i < 20; i++) {
      const response = await request(`${ORIGIN}/bytes?length=${i}`, { dispatcher })
      expect(await response.body.text()).toHaveLength(i)
    }
  })

  test('POST', async () => {
    const body = 'a=1&b=2'
    const response = await request(`${ORIGIN}/body`, { dispatcher: connect(), method: 'POST', body })
    expect(await response.body.text()).toBe(checksum([Buffer.from(body)]))
  })

  test('an upload of 20 MiB arrives complete', async () => {
    const pieces = Array.from({ length: 20 }, (_, i) => Buffer.alloc(MIB, `piece ${i}`))
    const response = await request(`${ORIGIN}/body`, {
      dispatcher: connect(),
      method: 'POST',
      headers: { 'content-length': String(20 * MIB) },
      body: Readable.from(pieces),
    })
    expect(await response.body.text()).toBe(checksum(pieces))
  })

  if (traits.readsForms)
    test('a file in a form', async () => {
      const content = Buffer.alloc(3 * MIB, 'content of the file')
      const body = new FormData()
      body.set('file', new File([content], 'file.bin'))
      const response = await fetch(`${ORIGIN}/upload`, { dispatcher: connect(), method: 'POST', body })
      expect(await response.text()).toBe(`file.bin ${checksum([content])}`)
    })

  test('a large response that is read slowly arrives complete', async () => {
    const response = await request(`${ORIGIN}/bytes?length=${8 * MIB + 1}`, { dispatcher: connect() })
    const pieces: Buffer[] = []
    for await (const piece of response.body) {
      pieces.push(piece)
      if (pieces.length % 16 === 0) await new Promise(setImmediate)
    }
    const expected = Buffer.alloc(8 * MIB + 1, '0123456789abcdef')
    expect(Buffer.concat(pieces).equals(expected)).toBe(true)
  })

  test('a response is streamed', async () => {
    const id = 'streamed'
    const response = await fetch(`${ORIGIN}/stream?id=${id}`, { dispatcher: connect() })
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    expect(await reader.read()).toEqual({ done: false, value: 'first\n' })
    peer.site.control.send(id, 'continue')
    expect(await reader.read()).toEqual({ done: false, value: 'last\n' })
    expect((await reader.read()).done).toBe(true)
  })

  test('after an aborted response, the program can handle the next request', async () => {
    const id = 'abandoned'
    const dispatcher = connect({ maxConnections: 1 })
    const controller = new AbortController()
    const { signal } = controller
    const response = await request(`${ORIGIN}/stream?id=${id}`, { dispatcher, signal })
    controller.abort()
    await expect(response.body.text()).rejects.toThrow()
    peer.site.control.send(id, 'continue')
    const next = await request(`${ORIGIN}/bytes?length=3`, { dispatcher })
    expect(await next.body.text()).toBe('012')
  })

  test('404', async () => {
    const response = await request(`${ORIGIN}/nowhere`, { dispatcher: connect() })
    expect(response.statusCode).toBe(404)
    expect(await response.body.text()).toBe('nothing here\n')
  })

  test('fetch follows a redirect', async () => {
    const response = await fetch(`${ORIGIN}/redirect`, { dispatcher: connect() })
    expect(response).toMatchObject({ redirected: true, url: `${ORIGIN}/params?redirected` })
    expect(await response.text()).toContain('REQUEST_URI=/params?redirected\n')
  })

  test("Node's own fetch", async () => {
    const dispatcher = connect()
    const response = await globalThis.fetch(`${ORIGIN}/body`, {
      method: 'POST',
      body: 'a body',
      dispatcher,
    } as unknown as RequestInit)
    expect(await response.text()).toBe(checksum([Buffer.from('a body')]))
  })

  test("undici's stream", async () => {
    const pieces: Buffer[] = []
    await stream(
      `${ORIGIN}/bytes?length=100000`,
      { dispatcher: connect(), method: 'GET' },
      () =>
        new Writable({
          write(piece, _, done) {
            pieces.push(piece)
            done()
          },
        }),
    )
    expect(Buffer.concat(pieces)).toHaveLength(100_000)
  })

  test("undici's pipeline", async () => {
    const duplex = pipeline(
      `${ORIGIN}/body`,
      { dispatcher: connect(), method: 'POST', headers: { 'content-length': '8' } },
      ({ body }) => body,
    )
    duplex.end('12345678')
    expect(await text(duplex)).toBe(checksum([Buffer.from('12345678')]))
  })

  if (traits.hasStderr)
    test('onStderr gets what the program writes to FCGI_STDERR', async () => {
      const written: string[] = []
      const dispatcher = connect({
        onStderr: (chunk, { path }) => written.push(`${path}: ${chunk.toString().trim()}`),
      })
      const response = await request(`${ORIGIN}/stderr`, { dispatcher })
      expect(await response.body.text()).toBe('written\n')
      // PHP-FPM writes a prefix.
      expect(written.join('')).toMatch(/^\/stderr: .*a line for FCGI_STDERR$/)
    })
}

function checksum(pieces: readonly Uint8Array[]): string {
  const crc = pieces.reduce((crc, piece) => crc32(piece, crc), 0)
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  return `${length} ${crc.toString(16).padStart(8, '0')}`
}
