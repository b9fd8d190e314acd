import { setImmediate as nextLoop } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { type FetchHandler, toHandler } from '../index.ts'
import { deferred } from '../testing/deferred.ts'
import { ask, Front, type FrontRequestInit, listen } from '../testing/front.ts'

const echo: FetchHandler = (request) =>
  Response.json({ url: request.url, method: request.method, headers: [...request.headers] })

describe('the URL', () => {
  test.each<[what: string, init: FrontRequestInit, url: string]>([
    ['path and query as sent', { target: '/a%20b/?q=%2F&r' }, 'http://front.test/a%20b/?q=%2F&r'],
    ['a double slash is not an authority', { target: '//evil/a' }, 'http://front.test//evil/a'],
    ['dot segments resolved as in new URL', { target: '/a/%2e%2e/b' }, 'http://front.test/b'],
    ['an encoded slash stays', { target: '/a%2fb' }, 'http://front.test/a%2fb'],
    ['an empty query', { target: '/a?' }, 'http://front.test/a?'],
    ['characters that browsers escape', { target: '/a"<>{} b' }, 'http://front.test/a%22%3C%3E%7B%7D%20b'],
    ['raw UTF-8, one character a byte', { target: '/\xc3\xa9?\xc3\xa9' }, 'http://front.test/%C3%A9?%C3%A9'],
    ['the absolute form', { target: 'http://other.test:8080/p?x' }, 'http://other.test:8080/p?x'],
    ['user and password', { target: 'http://user:word@other.test/' }, 'http://other.test/'],
    ['a port', { headers: { host: 'front.test:8080' } }, 'http://front.test:8080/'],
    ['the default port', { headers: { host: 'front.test:80' } }, 'http://front.test/'],
    ['an IPv6 host', { headers: { host: '[::1]:8080' } }, 'http://[::1]:8080/'],
    ['no Host', { params: { HTTP_HOST: '', SERVER_NAME: 'named.test' } }, 'http://named.test/'],
    ['https', { params: { HTTPS: 'on' } }, 'https://front.test/'],
    [
      'forwarded headers are ignored',
      { headers: { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil.test' } },
      'http://front.test/',
    ],
  ])('%s', async (_what, init, url) => {
    const server = await listen(toHandler(echo))
    expect(JSON.parse((await ask(server, init)).text).url).toBe(url)
  })

  test.each([
    { target: 'file:///etc/passwd' },
    { headers: { host: 'front.test/x' } },
    { headers: { host: 'a@b' } },
  ])('is refused before the app is called: %j', async (init) => {
    const server = await listen(
      toHandler(() => {
        throw new Error('called')
      }),
    )
    expect((await ask(server, init)).status).toBe(400)
  })
})

describe('method and headers', () => {
  test('a method keeps its case', async () => {
    const server = await listen(toHandler(echo))
    expect(JSON.parse((await ask(server, { method: 'PURGE' })).text).method).toBe('PURGE')
    expect(JSON.parse((await ask(server, { method: 'Purge' })).text).method).toBe('Purge')
  })

  test.each(['TRACE', 'CONNECT', 'track'])(
    '%s, which no Request can have, is a 501 and not an error',
    async (method) => {
      const errors: unknown[] = []
      const server = await listen(toHandler(echo), { onError: (error) => errors.push(error) })
      expect(await ask(server, { method })).toMatchObject({ status: 501, stderr: '' })
      expect(errors).toEqual([])
    },
  )

  test('values are latin1, any name is allowed, Proxy and empty Content-* headers are left out', async () => {
    const server = await listen(toHandler(echo))
    const { text } = await ask(server, {
      params: {
        HTTP_X_LATIN: '\xe9',
        HTTP___PROTO__: 'polluted',
        HTTP_PROXY: 'http://evil.test',
        CONTENT_TYPE: '',
        CONTENT_LENGTH: '',
      },
    })
    expect(JSON.parse(text).headers).toEqual([
      ['--proto--', 'polluted'],
      ['host', 'front.test'],
      ['x-latin', '\xe9'],
    ])
  })
})

describe('a standard Request', () => {
  test('is an instance of Request, and can be cloned, wrapped and read with methods of the prototype', async () => {
    const server = await listen(
      toHandler(async (request) => {
        expect(request).toBeInstanceOf(Request)
        expect(Object.getPrototypeOf(request)).toBe(Request.prototype)
        const clone = request.clone()
        const wrapped = new Request(request, { headers: { 'x-added': '1' } })
        expect(Request.prototype.text.call(clone)).toBeInstanceOf(Promise)
        return new Response(`${wrapped.method} ${wrapped.headers.get('x-added')} ${await wrapped.text()}`)
      }),
    )
    expect((await ask(server, { body: 'payload' })).text).toBe('POST 1 payload')
  })

  test('GET and HEAD have no body', async () => {
    const server = await listen(toHandler((request) => new Response(String(request.body))))
    expect((await ask(server)).text).toBe('null')
  })

  test.each<[name: string, read: (request: Request) => Promise<unknown>]>([
    ['text', (request) => request.text()],
    ['json', async (request) => JSON.stringify(await request.json())],
    ['arrayBuffer', async (request) => new TextDecoder().decode(await request.arrayBuffer())],
    ['blob', async (request) => (await request.blob()).text()],
    ['clone', async (request) => (await Promise.all([request.clone().text(), request.text()]))[0]],
  ])('%s reads the body once', async (_name, read) => {
    const server = await listen(
      toHandler(async (request) => {
        expect(request.bodyUsed).toBe(false)
        const body = await read(request)
        expect(request.bodyUsed).toBe(true)
        await expect(request.text()).rejects.toThrow(TypeError)
        return new Response(String(body))
      }),
    )
    const response = await ask(server, { body: '{"a":"é"}', headers: { 'content-type': 'application/json' } })
    expect(response).toMatchObject({ status: 200, text: '{"a":"é"}' })
  })

  test('JSON can begin with a byte order mark; invalid JSON rejects', async () => {
    const server = await listen(
      toHandler(async (request) =>
        Response.json(
          await request.json().then(
            (value: unknown) => value,
            (error: Error) => error.name,
          ),
        ),
      ),
    )
    expect((await ask(server, { body: '\ufeff[1]' })).text).toBe('[1]')
    expect((await ask(server, { body: '{' })).text).toBe('"SyntaxError"')
  })

  test('formData reads fields and files from a body in small pieces', async () => {
    const server = await listen(
      toHandler(async (request) => {
        const form = await request.formData()
        const file = form.get('file') as File
        return new Response(`${form.get('field')} ${file.name} ${await file.text()}`)
      }),
    )
    const form = new FormData()
    form.set('field', 'väl ue')
    form.set('file', new File(['content\r\n--'], 'näme.txt'))
    const encoded = new Response(form)
    const body = Buffer.from(await encoded.arrayBuffer())
    const headers = {
      'content-type': encoded.headers.get('content-type')!,
      'content-length': `${body.length}`,
    }

    const front = await Front.connect(server)
    const request = front.request({ method: 'POST', headers, open: true })
    for (let at = 0; at < body.length; at += 7) {
      request.send(body.subarray(at, at + 7))
      await nextLoop()
    }
    request.endBody()
    expect((await request.response()).text).toBe('väl ue näme.txt content\r\n--')
  })

  test('a body without CONTENT_LENGTH ends with STDIN', async () => {
    const server = await listen(toHandler(async (request) => new Response(await request.text())))
    const front = await Front.connect(server)
    const request = front.request({ method: 'POST', open: true })
    request.send('by ')
    request.send('pieces')
    request.endBody()
    expect((await request.response()).text).toBe('by pieces')
  })

  test('a body that is shorter than its CONTENT_LENGTH rejects', async () => {
    const server = await listen(
      toHandler(async (request) => {
        await expect(request.text()).rejects.toThrow('length')
        return new Response('noticed')
      }),
    )
    const front = await Front.connect(server)
    const request = front.request({ method: 'POST', headers: { 'content-length': '10' }, open: true })
    request.send('short')
    request.endBody()
    expect((await request.response()).text).toBe('noticed')
  })

  test('a body that is not read, or not read to its end, leaves the connection usable', async () => {
    const server = await listen(
      toHandler(async (request) => {
        if (request.url.endsWith('/part')) {
          const reader = request.body!.getReader()
          await reader.read()
          await reader.cancel()
        }
        return new Response('responded')
      }),
    )
    const front = await Front.connect(server)
    for (const target of ['/none', '/part', '/none']) {
      expect((await front.request({ target, body: 'x'.repeat(300_000) }).response()).text).toBe('responded')
    }
  })

  test('maxBodyBytes: a 413 before the app is called, or a rejection if the length is unknown', async () => {
    const server = await listen(
      toHandler(async (request) => {
        await expect(request.text()).rejects.toMatchObject({ status: 413 })
        return new Response('noticed')
      }),
      { maxBodyBytes: 10 },
    )
    expect((await ask(server, { body: 'x'.repeat(11) })).status).toBe(413)
    const front = await Front.connect(server)
    const request = front.request({ method: 'POST', open: true })
    request.send('x'.repeat(11))
    request.endBody()
    expect((await request.response()).text).toBe('noticed')
  })

  test('a body that has arrived can be read after the client has disconnected', async () => {
    const aborted = deferred()
    const body = deferred<string>()
    const called = deferred()
    const server = await listen(
      toHandler(async (request) => {
        request.signal.addEventListener('abort', () => aborted.resolve())
        called.resolve()
        await aborted.promise
        body.resolve(await request.text())
        return new Response()
      }),
    )
    const front = await Front.connect(server)
    front.request({ body: 'whole' })
    await called.promise
    front.destroy()
    expect(await body.promise).toBe('whole')
  })

  test('the front server has to wait while the app does not read the body', async () => {
    let read: (() => void) | undefined
    const server = await listen(
      toHandler(async (request) => {
        await new Promise<void>((resolve) => {
          read = resolve
        })
        return new Response(String((await request.arrayBuffer()).byteLength))
      }),
    )
    const front = await Front.connect(server)
    const length = 64 * 1024 * 1024
    const request = front.request({ method: 'POST', headers: { 'content-length': `${length}` }, open: true })
    const chunk = Buffer.alloc(64 * 1024)
    let sent = 0
    // The socket stops when the kernel's buffers and the bounded queue are full.
    while (sent < length && request.send(chunk)) {
      sent += chunk.length
      await nextLoop()
    }
    sent += chunk.length
    expect(sent).toBeLessThan(length / 2)
    await expect.poll(() => read).toBeDefined()
    read!()
    for (; sent < length; sent += chunk.length) {
      if (!request.send(chunk)) await request.drained()
    }
    request.endBody()
    expect((await request.response()).text).toBe(String(length))
  })

  test('upload and download at the same time', async () => {
    const server = await listen(
      toHandler(
        (request) =>
          new Response(
            request.body!.pipeThrough(new TextDecoderStream()).pipeThrough(
              new TransformStream<string, Uint8Array>({
                transform: (text, controller) => controller.enqueue(Buffer.from(text.toUpperCase())),
              }),
            ),
          ),
      ),
    )
    const front = await Front.connect(server)
    const request = front.request({ method: 'POST', open: true })
    for (const word of ['one', 'two', 'three']) {
      request.send(word)
      expect(await request.chunk()).toBe(word.toUpperCase())
    }
    request.endBody()
    expect((await request.response()).text).toBe('ONETWOTHREE')
  })
})

describe('the signal', () => {
  const disconnects: Record<string, (front: Front, request: { abort(): void }) => void> = {
    FCGI_ABORT_REQUEST: (_front, request) => request.abort(),
    'a connection that closes': (front) => front.destroy(),
  }

  test.each(Object.entries(disconnects))('aborts on %s', async (_how, go) => {
    const aborted = deferred<unknown>()
    const called = deferred()
    const server = await listen(
      toHandler((request) => {
        request.signal.addEventListener('abort', () => aborted.resolve(request.signal.reason))
        called.resolve()
        return new Promise<Response>(() => {})
      }),
    )
    const front = await Front.connect(server)
    const request = front.request()
    await called.promise
    go(front, request)
    expect(await aborted.promise).toMatchObject({ name: 'AbortError' })
  })

  test('is already aborted if the handler reads it late', async () => {
    const called = deferred()
    const gone = deferred()
    const seen = deferred<boolean>()
    const handler = toHandler(async (request) => {
      called.resolve()
      await gone.promise
      seen.resolve(request.signal.aborted)
      return new Response()
    })
    const server = await listen((exchange) => {
      exchange.onAbort = () => gone.resolve()
      return handler(exchange)
    })
    const front = await Front.connect(server)
    const request = front.request()
    await called.promise
    request.abort()
    expect(await seen.promise).toBe(true)
  })

  test('also aborts clones of the request', async () => {
    const aborted = deferred()
    const called = deferred()
    const server = await listen(
      toHandler((request) => {
        const derived = new Request(request.clone(), { method: 'POST' })
        derived.signal.addEventListener('abort', () => aborted.resolve())
        called.resolve()
        return new Promise<Response>(() => {})
      }),
    )
    const front = await Front.connect(server)
    front.request()
    await called.promise
    front.destroy()
    await aborted.promise
  })

  test('does not abort after the response was sent, or because the body was read', async () => {
    const signals: AbortSignal[] = []
    const server = await listen(
      toHandler(async (request) => {
        signals.push(request.signal)
        return new Response(await request.text())
      }),
    )
    const front = await Front.connect(server)
    await front.request({ body: 'x' }).response()
    await front.request({ body: 'y' }).response()
    front.destroy()
    await server.close()
    expect(signals.map((signal) => signal.aborted)).toEqual([false, false])
  })

  test('a body that is cut off in the middle rejects', async () => {
    const failed = deferred<unknown>()
    const server = await listen(
      toHandler(async (request) => {
        const reader = request.body!.getReader()
        await reader.read()
        await reader.read().catch(failed.resolve)
        return new Response()
      }),
    )
    const front = await Front.connect(server)
    const request = front.request({ method: 'POST', headers: { 'content-length': '100' }, open: true })
    request.send('part')
    await nextLoop()
    front.destroy()
    expect(await failed.promise).toBeInstanceOf(Error)
  })
})
