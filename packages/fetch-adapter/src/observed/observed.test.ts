import { AsyncLocalStorage } from 'node:async_hooks'
import { execFileSync } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { IncomingMessage, request as requestHttp, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { finished } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { type FastCgiServer, type Handlers, RECORD_CONTENT_MAX } from '@fcgi-bridge/core'
import { getRequestListener } from '@hono/node-server'
import { afterEach, describe, expect, onTestFinished, test } from 'vitest'
import { type FetchHandler, toAuthorizer, toHandler } from '../index.ts'
import { ask, Front, listen } from '../testing/front.ts'

interface Message {
  request: IncomingMessage
  response: ServerResponse
  socket?: unknown
  server?: Server
}

const cleanUps: (() => void)[] = []

function cleanUp(): void {
  for (const undo of cleanUps.splice(0)) undo()
}

afterEach(cleanUp)

function listenTo(name: string, listener: (message: Message) => void): void {
  const subscriber = listener as (message: unknown) => void
  subscribe(name, subscriber)
  cleanUps.push(() => unsubscribe(name, subscriber))
}

type Emit = (request: IncomingMessage, response: ServerResponse, emit: () => boolean) => boolean

/** Replaces `emit` of all http.Servers, as OpenTelemetry, Datadog, Elastic and New Relic do. */
function patchEmit(wrap: Emit): void {
  const { emit } = Server.prototype
  Server.prototype.emit = function (this: Server, ...args: unknown[]): boolean {
    const call = (): boolean => Reflect.apply(emit, this, args) as boolean
    return args[0] === 'request' ? wrap(args[1] as IncomingMessage, args[2] as ServerResponse, call) : call()
  } as Server['emit']
  cleanUps.push(() => {
    delete (Server.prototype as Partial<Server>).emit
  })
}

async function overFastCgi(fetch: FetchHandler): Promise<void> {
  const server = await listen(toHandler(fetch), { onError: () => {} })
  await ask(server, {
    method: 'POST',
    target: '/items?a=1',
    body: 'x',
    params: { REMOTE_ADDR: '127.0.0.1' },
    headers: { host: 'app.test', 'x-a': '1' },
  })
}

async function overHttp(fetch: FetchHandler): Promise<void> {
  const server = new Server(getRequestListener(fetch as never, { overrideGlobalObjects: false })).listen(
    0,
    '127.0.0.1',
  )
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const request = requestHttp({
    port: (server.address() as AddressInfo).port,
    method: 'POST',
    path: '/items?a=1',
    headers: { host: 'app.test', 'x-a': '1', 'content-length': 1, connection: 'close' },
  })
  request.end('x')
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  response.resume()
  await once(response, 'close')
}

/** Returns everything that a tool can observe of one request, in order. */
async function traceOf(
  serve: (fetch: FetchHandler) => Promise<void>,
  fetch: FetchHandler,
): Promise<unknown[]> {
  const trace: unknown[] = []
  const closed = new Promise<void>((resolve) => {
    for (const name of [
      'http.server.request.start',
      'http.server.response.created',
      'http.server.response.finish',
    ]) {
      listenTo(name, ({ request, response, socket, server, ...rest }) => {
        trace.push([
          name,
          Object.keys(rest),
          request.method,
          request.url,
          request.httpVersion,
          request.headers.host,
          request.headers['x-a'],
          request.socket.remoteAddress,
          socket === undefined || socket === request.socket,
          server === undefined || server instanceof Server,
          response.socket === null,
          response.statusCode,
        ])
      })
    }
    patchEmit((_request, response, emit) => {
      trace.push(['emit', response.socket !== null, response.headersSent])
      for (const name of ['prefinish', 'finish', 'close']) {
        response.on(name, () => {
          trace.push([name, response.statusCode, response.headersSent, response.writableFinished])
          if (name === 'close') resolve()
        })
      }
      const result = emit()
      trace.push(['emitted', result])
      return result
    })
  })
  await serve((request, context, executionContext) => {
    trace.push('handler')
    return fetch(request, context, executionContext)
  })
  await closed
  cleanUp()
  return trace
}

describe('monitoring tools see what @hono/node-server shows them on node:http', () => {
  const handlers: Record<string, FetchHandler> = {
    'a Response at once': () => new Response('made', { status: 201 }),
    'a Response later, after the body was read': async (request) => new Response(await request.text()),
    'a body that streams': () =>
      new Response(
        new ReadableStream({
          async start(controller) {
            controller.enqueue(Buffer.from('one'))
            await new Promise(setImmediate)
            controller.enqueue(Buffer.from('two'))
            controller.close()
          },
        }),
      ),
    'a Response without a body': () => new Response(null, { status: 204 }),
    'a handler that rejects': () => Promise.reject(new Error('broken')),
    'a handler that throws': () => {
      throw new Error('broken')
    },
  }
  for (const [name, fetch] of Object.entries(handlers)) {
    test(name, async () => {
      const { error } = console
      console.error = () => {}
      onTestFinished(() => {
        console.error = error
      })
      const reference = await traceOf(overHttp, fetch)
      expect(await traceOf(overFastCgi, fetch)).toEqual(reference)
    })
  }
})

describe('a tool', () => {
  test('isolates requests: each handler, its streams and its callbacks run in the context of their own request', async () => {
    const storage = new AsyncLocalStorage<string>()
    patchEmit((request, _response, emit) => storage.run(request.url!, emit))
    const server = await listen(
      toHandler(async (request) => {
        const path = new URL(request.url).pathname
        const seen = [storage.getStore()]
        await request.text()
        seen.push(storage.getStore())
        let count = 0
        return new Response(
          new ReadableStream({
            // Larger than the buffer of the connection, so that most pulls follow a 'drain'.
            pull(controller) {
              seen.push(storage.getStore())
              if (++count <= 64) controller.enqueue(Buffer.alloc(RECORD_CONTENT_MAX, '.'))
              else {
                controller.enqueue(Buffer.from(seen.every((store) => store === path) ? 'own' : seen.join()))
                controller.close()
              }
            },
          }),
        )
      }),
    )
    const front = await Front.connect(server)
    const responses = ['/a', '/b', '/c'].map((target) => front.request({ target, body: 'x' }).response())
    for (const { text } of await Promise.all(responses)) expect(text.slice(-3)).toBe('own')
  })

  test('can add headers, and can respond itself', async () => {
    patchEmit((request, response, emit) => {
      response.setHeader('X-Trace', 'abc')
      if (request.url !== '/blocked') return emit()
      response.writeHead(403, { 'X-By': 'tool' })
      response.write('blo')
      response.end('cked')
      return true
    })
    const server = await listen(toHandler(() => new Response('ok', { headers: { 'x-app': '1' } })))
    const response = await ask(server)
    expect([response.status, response.text, response.header('x-trace'), response.header('x-app')]).toEqual([
      200,
      'ok',
      'abc',
      '1',
    ])
    const blocked = await ask(server, { target: '/blocked' })
    expect([blocked.status, blocked.text, blocked.header('x-trace'), blocked.header('x-by')]).toEqual([
      403,
      'blocked',
      'abc',
      'tool',
    ])
  })

  test.each(['the response', 'all responses'])(
    'gets the head and the body of the app if it replaces writeHead and end of %s',
    async (replaced) => {
      const seen: unknown[] = []
      const replace = (target: ServerResponse): void => {
        const { end, writeHead } = target
        const wrap = (method: typeof end | typeof writeHead) =>
          function (this: ServerResponse, ...args: unknown[]): ServerResponse {
            seen.push(args.map((arg) => (arg instanceof Uint8Array ? Buffer.from(arg).toString() : arg)))
            return Reflect.apply(method as () => ServerResponse, this, args)
          }
        target.writeHead = wrap(writeHead) as typeof writeHead
        target.end = wrap(end) as typeof end
      }
      const { end, writeHead } = ServerResponse.prototype
      if (replaced === 'all responses') replace(ServerResponse.prototype)
      cleanUps.push(() => Object.assign(ServerResponse.prototype, { end, writeHead }))
      patchEmit((_request, response, emit) => {
        if (replaced === 'the response') replace(response)
        return emit()
      })
      const server = await listen(toHandler(() => new Response('made', { status: 201 })))
      expect((await ask(server)).text).toBe('made')
      expect(seen).toEqual([[201, expect.arrayContaining(['content-length', '4'])], ['made']])
    },
  )

  test('sees the headers as Node joins them', async () => {
    const params = {
      HTTP_USER_AGENT: 'a browser of today',
      'HTTP_USER-AGENT': 'another browser',
      HTTP_COOKIE: 'a=1',
      HTTP_cookie: 'b=2',
      HTTP_SET_COOKIE: 'c=3',
      'HTTP_SET-COOKIE': 'd=4',
      HTTP_X_A: '1',
      'HTTP_X-A': '2',
      HTTP_CONSTRUCTOR: 'x',
    }
    let seen: IncomingMessage | undefined
    patchEmit((request, _response, emit) => {
      seen = request
      return emit()
    })
    await ask(await listen(toHandler(() => new Response('ok'))), {
      params,
      headers: { host: 'shop.app.test:8080' },
    })
    const reference = new IncomingMessage(null as never) as IncomingMessage & {
      _addHeaderLines(headers: readonly string[], length: number): void
    }
    reference._addHeaderLines(seen!.rawHeaders, seen!.rawHeaders.length)
    expect(seen!.rawHeaders).toHaveLength(2 * (Object.keys(params).length + 1))
    expect(seen!.headers).toEqual(reference.headers)
  })

  test.each([[[]], [['end', 'close']]])(
    'sees that the request has ended after its response, with listeners for %j',
    async (names) => {
      const events: string[] = []
      let seen: IncomingMessage | undefined
      patchEmit((request, response, emit) => {
        seen = request
        response.on('close', () => {
          events.push('response close')
          for (const name of names) request.on(name, () => events.push(`request ${name}`))
        })
        return emit()
      })
      await ask(await listen(toHandler(() => new Response('ok'))))
      await expect.poll(() => events).toEqual(['response close', ...names.map((name) => `request ${name}`)])
      await finished(seen!)
      const { complete, readableEnded, destroyed, closed, aborted, errored } = seen!
      expect({ complete, readableEnded, destroyed, closed, aborted, errored }).toEqual({
        complete: true,
        readableEnded: true,
        destroyed: true,
        closed: true,
        aborted: false,
        errored: null,
      })
    },
  )

  test('sees a disconnect of the client: the request is aborted, the response is closed without a finish', async () => {
    const seen: string[] = []
    const closed = new Promise<void>((resolve) => {
      patchEmit((request, response, emit) => {
        for (const name of ['aborted', 'error', 'close']) request.on(name, () => seen.push(`request ${name}`))
        for (const name of ['finish', 'close']) response.on(name, () => seen.push(`response ${name}`))
        response.on('close', resolve)
        return emit()
      })
    })
    const called = new Promise<void>((resolve) => {
      void listen(
        toHandler(() => {
          resolve()
          return new Promise(() => {})
        }),
      ).then(async (server) => {
        const front = await Front.connect(server)
        front.request()
        await called
        front.destroy()
      })
    })
    await closed
    await expect.poll(() => seen).toContain('request close')
    expect(seen).toEqual(['request aborted', 'response close', 'request error', 'request close'])
  })

  test('sees an error after the head as a response that is closed without a finish', async () => {
    const seen: unknown[] = []
    patchEmit((_request, response, emit) => {
      for (const name of ['finish', 'close'])
        response.on(name, () => seen.push([name, response.writableFinished]))
      return emit()
    })
    const server = await listen(
      toHandler(
        () =>
          new Response(
            new ReadableStream({
              async start(controller) {
                controller.enqueue(Buffer.from('one'))
                await new Promise(setImmediate)
                await new Promise(setImmediate)
                controller.error(new Error('broken'))
              },
            }),
          ),
      ),
      { onError: () => {} },
    )
    const front = await Front.connect(server)
    await front.request().cut()
    await expect.poll(() => seen).toEqual([['close', false]])
  })

  test('sees authorizers and filters, and their responses reach the front server', async () => {
    const seen: unknown[] = []
    patchEmit((request, response, emit) => {
      response.on('close', () => seen.push([request.url, response.statusCode]))
      return emit()
    })
    const handlers: Handlers = {
      authorizer: toAuthorizer((request) =>
        request.url.endsWith('/no') ? false : new Response(null, { headers: { 'Variable-USER': 'ada' } }),
      ),
      filter: toHandler(async (_request, { data }) => new Response(`<${await new Response(data).text()}>`)),
    }
    const server: FastCgiServer = await listen(handlers)
    const granted = await ask(server, { role: 'authorizer', target: '/yes' })
    expect([granted.status, granted.lines]).toEqual([200, expect.arrayContaining(['Variable-USER: ada'])])
    expect(await ask(server, { role: 'authorizer', target: '/no', method: 'HEAD' })).toMatchObject({
      status: 403,
      text: '403 Forbidden\n',
    })
    const front = await Front.connect(server)
    const filtered = front.request({ role: 'filter', target: '/file', params: { FCGI_DATA_LENGTH: '4' } })
    filtered.sendData('data')
    expect((await filtered.response()).text).toBe('<data>')
    await expect
      .poll(() => seen)
      .toEqual([
        ['/yes', 200],
        ['/no', 403],
        ['/file', 200],
      ])
  })

  test('sees the status that is sent if the handler fails or the body is too large', async () => {
    const seen: unknown[] = []
    patchEmit((_request, response, emit) => {
      response.on('finish', () => seen.push(response.statusCode))
      return emit()
    })
    const server = await listen(
      toHandler(async (request) => {
        if (request.method === 'GET') throw new Error('broken')
        return new Response(await request.text())
      }),
      { maxBodyBytes: 3, onError: () => {} },
    )
    expect((await ask(server)).status).toBe(500)
    expect((await ask(server, { method: 'POST', body: 'four', params: { CONTENT_LENGTH: '' } })).status).toBe(
      413,
    )
    await expect.poll(() => seen).toEqual([500, 413])
  })
})

test('nothing is loaded for tools while no tool observes requests', () => {
  const program = `
    import { Session } from 'node:inspector'
    import { duplexPair, Duplex } from 'node:stream'
    const loaded = []
    const session = new Session()
    session.connect()
    session.on('Debugger.scriptParsed', ({ params }) => loaded.push(params.url))
    session.post('Debugger.enable')
    const { toHandler } = await import('@fcgi-bridge/fetch-adapter')
    const handler = toHandler(() => new Response('ok'))
    const exchange = { method: 'GET', request: new Request('http://a.test'), ended: false, headers: [], writeHead() {}, end() {} }
    handler(exchange)
    const before = loaded.some((url) => url.includes('/observed/'))
    const { subscribe } = await import('node:diagnostics_channel')
    subscribe('http.server.request.start', () => {})
    await handler({ ...exchange, ended: true })
    console.log(JSON.stringify([before, loaded.some((url) => url.includes('/observed/'))]))`
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    encoding: 'utf8',
  })
  expect(JSON.parse(output)).toEqual([false, true])
})
