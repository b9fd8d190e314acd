import { Readable } from 'node:stream'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { type FetchHandler, toHandler } from '../index.ts'
import { ask, Front, listen } from '../testing/front.ts'

// Lets tests return values that the types forbid. They are checked at run time.
function responding(give: () => unknown): FetchHandler {
  return give as FetchHandler
}

async function failing(give: () => unknown): Promise<{ error: Error; text: string }> {
  const errors: unknown[] = []
  const server = await listen(toHandler(responding(give)), { onError: (error) => errors.push(error) })
  const response = await ask(server)
  expect(response.status).toBe(500)
  expect(errors).toHaveLength(1)
  const error = errors[0] as Error
  expect(response.stderr).toContain(error.message)
  expect(response.text).not.toContain(error.message)
  return { error, text: response.text }
}

type Body = ConstructorParameters<typeof Response>[0]

describe('bodies', () => {
  const bytes = new Uint8Array([0xff, 0, 1, 2])
  test.each<[kind: string, make: () => Body, expected: Uint8Array | string, type: string | undefined]>([
    ['a string', () => 'h\u00e9llo', 'héllo', 'text/plain;charset=UTF-8'],
    ['an empty string', () => '', '', 'text/plain;charset=UTF-8'],
    ['null', () => null, '', undefined],
    ['bytes', () => bytes, bytes, undefined],
    ['an ArrayBuffer', () => bytes.buffer, bytes, undefined],
    ['a DataView on a part', () => new DataView(bytes.buffer, 1, 2), bytes.subarray(1, 3), undefined],
    ['a Buffer from the pool', () => Buffer.from('pooled'), 'pooled', undefined],
    ['a Blob', () => new Blob(['bl', 'ob'], { type: 'text/x-blob' }), 'blob', 'text/x-blob'],
    [
      'URLSearchParams',
      () => new URLSearchParams({ a: 'b c' }),
      'a=b+c',
      'application/x-www-form-urlencoded;charset=UTF-8',
    ],
    ['a stream', () => ReadableStream.from([Buffer.from('str'), Buffer.from('eam')]), 'stream', undefined],
    [
      'an async iterable',
      () =>
        (async function* () {
          yield Buffer.from('iter')
          yield Buffer.from('able')
        })() as unknown as Body,
      'iterable',
      undefined,
    ],
  ])('%s', async (_kind, make, expected, type) => {
    const server = await listen(toHandler(() => new Response(make())))
    const response = await ask(server)
    expect(response).toMatchObject({ status: 200, reason: 'OK', stderr: '' })
    expect(response.bytes).toEqual(Buffer.from(expected as string))
    expect(response.header('content-type')).toBe(type)
  })

  test('FormData', async () => {
    const form = new FormData()
    form.set('field', 'value')
    form.set('file', new File(['content'], 'name.txt', { type: 'text/plain' }))
    const server = await listen(toHandler(() => new Response(form)))
    const response = await ask(server)
    const read = await new Response(response.bytes, {
      headers: { 'content-type': response.header('content-type')! },
    }).formData()
    expect(read.get('field')).toBe('value')
    expect(await (read.get('file') as File).text()).toBe('content')
  })

  test('a body of 64 KiB or more is sent in several records', async () => {
    const body = Buffer.alloc(3_000_001, 'abcdefg')
    const server = await listen(toHandler(() => new Response(body)))
    const front = await Front.connect(server)
    const request = front.request()
    const response = await request.response()
    expect(response.bytes.equals(body)).toBe(true)
    expect(response.header('content-length')).toBe(String(body.length))
    expect(request.stdoutRecords.length).toBeGreaterThan(body.length / 65536)
  })
})

describe('Content-Length', () => {
  test.each<[what: string, make: () => Response, length: string | undefined]>([
    ['text', () => new Response('h\u00e9'), '3'],
    ['no body', () => new Response(null), '0'],
    ['an empty string', () => new Response(''), '0'],
    ['a redirect', () => Response.redirect('http://front.test/x', 302), '0'],
    [
      'a stream that ends without waiting',
      () => new Response(ReadableStream.from([Buffer.from('ab'), Buffer.from('c')])),
      '3',
    ],
    ['the Content-Length of the app', () => new Response('abc', { headers: { 'Content-Length': '3' } }), '3'],
    ['a 204', () => new Response(null, { status: 204 }), undefined],
    ['a 304', () => new Response(null, { status: 304 }), undefined],
  ])('%s', async (_what, make, length) => {
    const server = await listen(toHandler(make))
    const { headers } = await ask(server)
    expect(headers.filter(([name]) => name === 'content-length').map(([, value]) => value)).toEqual(
      length === undefined ? [] : [length],
    )
  })

  test('a small response is one record and one write', async () => {
    const server = await listen(toHandler(() => Response.json({ small: true })))
    const front = await Front.connect(server)
    const request = front.request()
    await request.response()
    expect(request.stdoutRecords).toHaveLength(1)
    expect(front.reads).toBe(1)
  })
})

describe('status and headers', () => {
  test('statusText is the reason phrase; the default is the standard one', async () => {
    const server = await listen(
      toHandler(
        ({ url }) =>
          new Response(null, { status: 404, statusText: url.endsWith('/own') ? 'Gone Fishing' : '' }),
      ),
    )
    expect((await ask(server, { target: '/own' })).reason).toBe('Gone Fishing')
    expect((await ask(server)).reason).toBe('Not Found')
  })

  test('each Set-Cookie has its own line, whether it was added before or after construction', async () => {
    const server = await listen(
      toHandler(() => {
        const response = new Response('', {
          headers: [
            ['set-cookie', 'a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT'],
            ['x-list', 'one'],
            ['set-cookie', 'b=2'],
            ['x-list', 'two'],
          ],
        })
        response.headers.append('set-cookie', 'c=3')
        return response
      }),
    )
    const { headers } = await ask(server)
    expect(headers.filter(([name]) => name === 'set-cookie').map(([, value]) => value)).toEqual([
      'a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT',
      'b=2',
      'c=3',
    ])
    expect(headers).toContainEqual(['x-list', 'one, two'])
  })

  test('values are latin1', async () => {
    const server = await listen(toHandler(() => new Response('', { headers: { 'x-name': 'caf\xe9' } })))
    expect((await ask(server)).header('x-name')).toBe('caf\xe9')
  })

  test('hop-by-hop headers are not sent', async () => {
    const server = await listen(
      toHandler(
        () =>
          new Response('body', {
            headers: {
              connection: 'close',
              'transfer-encoding': 'chunked',
              trailer: 'x',
              upgrade: 'h2c',
              'keep-alive': '1',
            },
          }),
      ),
    )
    const { headers, text } = await ask(server)
    expect(text).toBe('body')
    expect(headers.map(([name]) => name).sort()).toEqual(['content-length', 'content-type'])
  })

  test('a redirect has its Status and Location', async () => {
    const server = await listen(toHandler(() => Response.redirect('http://front.test/there', 303)))
    const response = await ask(server)
    expect(response.status).toBe(303)
    expect(response.header('location')).toBe('http://front.test/there')
  })

  test.each([204, 205, 304])('%i has no body', async (status) => {
    const server = await listen(toHandler(() => new Response(null, { status, headers: { etag: '"x"' } })))
    const response = await ask(server)
    expect(response).toMatchObject({ status, text: '' })
    expect(response.header('etag')).toBe('"x"')
  })
})

describe('HEAD', () => {
  test("has the headers of GET, including the app's Content-Length, and no body", async () => {
    const server = await listen(
      toHandler(() => new Response('hello', { headers: { 'content-length': '5', 'x-a': 'b' } })),
    )
    const response = await ask(server, { method: 'HEAD' })
    expect(response).toMatchObject({ status: 200, text: '' })
    expect(response.headers).toEqual((await ask(server)).headers)
  })

  test('no Content-Length is added', async () => {
    const server = await listen(toHandler(() => new Response(null)))
    expect((await ask(server, { method: 'HEAD' })).header('content-length')).toBeUndefined()
  })

  test('the stream is cancelled', async () => {
    let cancelled = 0
    const server = await listen(
      toHandler(
        () =>
          new Response(
            new ReadableStream({
              cancel: () => {
                cancelled++
              },
            }),
          ),
      ),
    )
    expect((await ask(server, { method: 'HEAD' })).status).toBe(200)
    expect(cancelled).toBe(1)
  })
})

describe('a value that cannot be sent is a 500 without detail, and an error that says what to do', () => {
  test.each<[what: string, value: unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['a string', 'hello'],
    ['an object', { hello: 'world' }],
    ['a promise of undefined', Promise.resolve(undefined)],
  ])('%s', async (_what, value) => {
    const { error } = await failing(() => value)
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toMatch(
      /^The fetch handler returned .*, not a Response\. Return a Response on every path/,
    )
  })

  test('a throw, and a rejection', async () => {
    expect(
      (
        await failing(() => {
          throw new Error('secret')
        })
      ).error.message,
    ).toBe('secret')
    expect(
      (
        await failing(async () => {
          throw new Error('secret')
        })
      ).error.message,
    ).toBe('secret')
  })

  test('a thrown value that is not an Error', async () => {
    const errors: unknown[] = []
    const server = await listen(
      toHandler(() => {
        throw 'secret'
      }),
      { onError: (error) => errors.push(error) },
    )
    const response = await ask(server)
    expect(response).toMatchObject({ status: 500, stderr: expect.stringContaining('secret') })
    expect(response.text).not.toContain('secret')
    expect(errors).toEqual(['secret'])
  })

  test('Response.error()', async () => {
    expect((await failing(() => Response.error())).error.message).toContain('Response.error()')
  })

  test('a body that was read, or is being read', async () => {
    const read = async () => {
      const response = new Response('x')
      await response.text()
      return response
    }
    expect((await failing(read)).error.message).toMatch(/was already used.*clone\(\)/)
    const readInPart = async () => {
      const response = new Response('x')
      const reader = response.body!.getReader()
      await reader.read()
      reader.releaseLock()
      return response
    }
    expect((await failing(readInPart)).error.message).toMatch(/was already used/)
    const lock = () => {
      const response = new Response('x')
      response.body!.getReader()
      return response
    }
    expect((await failing(lock)).error.message).toMatch(/was already used/)
  })

  test('the same Response a second time, unless it has no body', async () => {
    const once = new Response('once')
    const always = new Response(null, { status: 204 })
    const server = await listen(toHandler(({ url }) => (url.endsWith('/once') ? once : always)))
    expect((await ask(server, { target: '/once' })).text).toBe('once')
    const again = await ask(server, { target: '/once' })
    expect(again.status).toBe(500)
    expect(again.stderr).toContain('the Response was sent before')
    expect((await ask(server)).status).toBe(204)
    expect((await ask(server)).status).toBe(204)
  })
})

describe('Responses of other implementations', () => {
  test('a Response of another realm', async () => {
    const make = runInNewContext('(Response) => class Other extends Response {}', {}) as (
      base: typeof Response,
    ) => typeof Response
    const server = await listen(toHandler(() => new (make(Response))('other', { status: 201 })))
    expect(await ask(server)).toMatchObject({ status: 201, text: 'other' })
  })

  test('a Response of undici', async () => {
    const undici = await import('undici')
    const server = await listen(
      toHandler(
        responding(
          () =>
            new undici.Response('own', {
              status: 202,
              headers: [
                ['set-cookie', 'a=1'],
                ['set-cookie', 'b=2'],
              ],
            }),
        ),
      ),
    )
    const response = await ask(server)
    expect(response).toMatchObject({ status: 202, text: 'own' })
    expect(response.headers).toContainEqual(['set-cookie', 'a=1'])
    expect(response.headers).toContainEqual(['set-cookie', 'b=2'])
    expect(response.header('content-length')).toBe('3')
  })

  test("a Response like node-fetch's: a Node stream, headers with raw()", async () => {
    const like = () => ({
      status: 203,
      statusText: 'Like',
      bodyUsed: false,
      headers: {
        raw: () => ({ 'Set-Cookie': ['a=1', 'b=2'], 'X-A': ['b'] }),
        [Symbol.iterator]: () => [][Symbol.iterator](),
      },
      body: Readable.from([Buffer.from('no'), Buffer.from('de')]),
    })
    const server = await listen(toHandler(responding(like)))
    const response = await ask(server)
    expect(response).toMatchObject({ status: 203, reason: 'Like', text: 'node' })
    expect(response.headers).toEqual([
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
      ['x-a', 'b'],
    ])
  })

  test('a polyfill whose headers join Set-Cookie when they are iterated', async () => {
    const like = () => ({
      status: 200,
      headers: {
        getSetCookie: () => ['a=1', 'b=2'],
        [Symbol.iterator]: () =>
          [
            ['X-A', 'b'],
            ['set-cookie', 'a=1, b=2'],
          ][Symbol.iterator](),
      },
      body: 'text',
    })
    const server = await listen(toHandler(responding(like)))
    const response = await ask(server)
    expect(response.text).toBe('text')
    expect(response.headers).toEqual([
      ['x-a', 'b'],
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
      ['content-length', '4'],
    ])
  })

  test('a header or status that cannot be sent is a 500, and the body is cancelled', async () => {
    let cancelled = 0
    const body = () =>
      new ReadableStream({
        cancel: () => {
          cancelled++
        },
      })
    const like = (status: number, value: string) => () => ({
      status,
      headers: [['x-a', value]],
      body: body(),
    })
    await failing(like(200, 'one\r\ntwo: 2'))
    await failing(like(200, '\u20ac'))
    await failing(like(101, 'ok'))
    expect(cancelled).toBe(3)
  })
})
