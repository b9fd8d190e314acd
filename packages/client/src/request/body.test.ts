import { Readable } from 'node:stream'
import * as undici from 'undici'
import { expect, test } from 'vitest'
import { deferred, setup } from '../testing/setup.ts'

const URL_ = 'http://example.test/'

/** Sends a request with this body by `dispatch`, and returns what the application received. */
async function send(
  body: unknown,
  headers: Record<string, string> = {},
): Promise<{ params: Record<string, string>; body: string }> {
  const { dispatcher } = await setup(async (r) => {
    const stdin = String(await r.body())
    r.respond(`\r\n${JSON.stringify({ params: r.params, body: stdin })}`)
  })
  const options = { dispatcher, method: 'POST', headers, body: body as never } as const
  return (await (await undici.request(URL_, options)).body.json()) as never
}

async function* slowly(...chunks: (string | Uint8Array)[]): AsyncGenerator<string | Uint8Array> {
  for (const chunk of chunks) {
    await new Promise((resolve) => setImmediate(resolve))
    yield chunk
  }
}

const BYTES = new TextEncoder().encode('hello')

test.each<[string, unknown]>([
  ['a string', 'hello'],
  ['a Buffer', Buffer.from('hello')],
  ['a Uint8Array', BYTES],
  ['a view of a part', new DataView(new TextEncoder().encode('<hello>').buffer, 1, 5)],
  ['an ArrayBuffer', BYTES.buffer],
  ['a Blob', new Blob(['hel', 'lo'])],
])('%s has a length', async (_, body) => {
  expect(await send(body)).toMatchObject({ body: 'hello', params: { CONTENT_LENGTH: '5' } })
})

test.each<[string, () => unknown]>([
  ['a stream', () => Readable.from([Buffer.from('hel'), Buffer.from('lo')])],
  ['a stream of strings', () => Readable.from(['hel', 'lo'])],
  ['a slow stream', () => Readable.from(slowly('hel', 'lo'))],
  ['an iterable', () => ['hel', BYTES.subarray(3)]],
  ['an async iterable', () => slowly('hel', '', BYTES.subarray(3))],
  ['a web stream', () => ReadableStream.from([BYTES])],
])('%s has no length without a Content-Length header', async (_, body) => {
  const without = await send(body())
  expect(without).toMatchObject({ body: 'hello', params: { HTTP_TRANSFER_ENCODING: 'chunked' } })
  expect(without.params).not.toHaveProperty('CONTENT_LENGTH')
  const sized = await send(body(), { 'content-length': '5' })
  expect(sized).toMatchObject({ body: 'hello', params: { CONTENT_LENGTH: '5' } })
  expect(sized.params).not.toHaveProperty('HTTP_TRANSFER_ENCODING')
})

test('an absent body has no length without Content-Length: 0', async () => {
  const { params, body } = await send(null)
  expect(body).toBe('')
  expect(params).not.toHaveProperty('CONTENT_LENGTH')
  expect(params).not.toHaveProperty('HTTP_TRANSFER_ENCODING')
  expect((await send(null, { 'content-length': '0' })).params.CONTENT_LENGTH).toBe('0')
})

test('the FormData classes of Node and undici set the type', async () => {
  for (const FormData of [globalThis.FormData, undici.FormData]) {
    const form = new FormData()
    form.append('name', 'value')
    const { params, body } = await send(form)
    const boundary = /^multipart\/form-data; boundary=(.+)$/.exec(params.CONTENT_TYPE!)![1]
    expect(body).toContain(`--${boundary}\r\nContent-Disposition: form-data; name="name"\r\n\r\nvalue\r\n`)
  }
})

test('a Blob sets the type, and a Content-Type header overrides it', async () => {
  const blob = new Blob(['hello'], { type: 'text/plain' })
  expect((await send(blob)).params.CONTENT_TYPE).toBe('text/plain')
  expect((await send(blob, { 'content-type': 'text/css' })).params.CONTENT_TYPE).toBe('text/css')
})

test.each<[string, () => undici.BodyInit]>([
  ['a string', () => 'hello'],
  ['a Blob', () => new Blob(['hello'])],
  ['URLSearchParams', () => new URLSearchParams({ a: 'b' })],
])('fetch with %s sends the length', async (_, body) => {
  const { dispatcher } = await setup(async (r) =>
    r.respond(`\r\n${r.params.CONTENT_LENGTH} ${await r.body()}`),
  )
  const expected = await new Response(body() as never).text()
  const response = await undici.fetch(URL_, { dispatcher, method: 'POST', body: body() })
  expect(await response.text()).toBe(`${expected.length} ${expected}`)
})

test('a multipart parser can read a form that fetch sends', async () => {
  const { dispatcher } = await setup(async (r) => {
    const request = new Response(await r.body(), { headers: { 'content-type': r.params.CONTENT_TYPE! } })
    const form = await request.formData()
    r.respond(Buffer.from(`\r\n${form.get('text')} ${await (form.get('file') as File).text()}`))
  })
  const form = new undici.FormData()
  form.append('text', 'café')
  form.append('file', new Blob(['contents']), 'file.txt')
  const response = await undici.fetch(URL_, { dispatcher, method: 'POST', body: form })
  expect(await response.text()).toBe('café contents')
})

test('fetch with a stream: the response to the first pieces arrives before the last piece is sent', async () => {
  const { dispatcher } = await setup(async (r) => {
    r.stdout('\r\nbegun')
    r.stdout(String(await r.body()))
    r.end()
  })
  const begun = deferred()
  const body = async function* () {
    yield BYTES
    await begun.promise
    yield BYTES
  }
  const response = await undici.fetch(URL_, {
    dispatcher,
    method: 'POST',
    body: ReadableStream.from(body()) as never,
    duplex: 'half',
  })
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  expect((await reader.read()).value).toBe('begun')
  begun.resolve()
  expect((await reader.read()).value).toBe('hellohello')
})

test('a stream that was read to its end, was closed, or has failed before', async () => {
  const read = Readable.from(['x'])
  for await (const _ of read);
  expect((await send(read)).body).toBe('')
  const failed = new Readable({ read() {} }).on('error', () => {})
  failed.destroy(new Error('disk full'))
  await expect(send(failed)).rejects.toThrow('disk full')
  const closed = new Readable({ read() {} }).destroy()
  await expect(send(closed)).rejects.toThrow('The request body was closed before its end.')
})

test('a stream that closes early, and a stream with chunks of a wrong type', async () => {
  const stream = new Readable({ read() {} })
  stream.push('x')
  setImmediate(() => stream.destroy())
  await expect(send(stream)).rejects.toThrow('The request body was closed before its end.')
  await expect(send(Readable.from([{}]))).rejects.toThrow('cannot contain a chunk of type object')
  await expect(send(slowly(5 as never))).rejects.toThrow('cannot contain a chunk of type number')
})

test('a stream is destroyed when its request fails, even before it is sent', async () => {
  const { dispatcher, responder } = await setup(() => {})
  await responder.close()
  for (const [path, error] of [
    ['', 'ECONNREFUSED'],
    ['%00', 'NUL byte'],
  ]) {
    const stream = new Readable({ read() {} })
    const cancelled = deferred<unknown>()
    const webStream = new ReadableStream({ cancel: cancelled.resolve })
    for (const body of [stream, webStream as never]) {
      await expect(undici.request(URL_ + path, { dispatcher, method: 'POST', body })).rejects.toThrow(error!)
    }
    expect(stream.destroyed).toBe(true)
    expect(String(await cancelled.promise)).toContain(error)
  }
})
