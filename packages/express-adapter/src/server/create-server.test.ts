import { once } from 'node:events'
import http, { type IncomingMessage, Server, ServerResponse } from 'node:http'
import { type AddressInfo, connect, createServer as createNetServer } from 'node:net'
import { begin, params, RecordReader, record, TYPES } from '@fcgi-bridge/testing'
import express from 'express'
import { afterEach, describe, expect, test } from 'vitest'
import { createServer } from '../index.ts'
import type { Client } from '../testing/client.ts'
import { createFastCgiClient } from '../testing/fastcgi-client.ts'

const servers: Server[] = []
const clients: Client[] = []

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close()
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await server[Symbol.asyncDispose]()
  }
})

function create(...args: Parameters<typeof createServer>): Server {
  const server = createServer(...args)
  servers.push(server)
  return server
}

async function listening(server: Server, ...args: unknown[]): Promise<Client> {
  server.listen(...(args.length === 0 ? [0] : (args as [])))
  await once(server, 'listening')
  return clientOf(server)
}

function clientOf(server: Server): Client {
  const client = createFastCgiClient((server.address() as AddressInfo).port)
  clients.push(client)
  return client
}

const hello = (_: IncomingMessage, response: ServerResponse): void => void response.end('hello')

describe('a server', () => {
  test('is an http.Server that serves FastCGI', async () => {
    const server = create((request, response) => void response.end(`${request.method} ${request.url}`))
    expect(server).toBeInstanceOf(Server)
    expect([server.listening, server.address()]).toEqual([false, null])
    const client = await listening(server)
    expect(server.listening).toBe(true)
    expect(server.address()).toEqual({ address: '127.0.0.1', family: 'IPv4', port: expect.any(Number) })
    expect((await client.send({ path: '/a?b' }).response).body.toString()).toBe('GET /a?b')
  })

  test('emits each request to all of its listeners, also those that are added while it listens', async () => {
    const server = create()
    const client = await listening(server)
    server.on('request', (_, response) => void response.setHeader('x-first', '1'))
    server.on('request', hello)
    const { headers, body } = await client.send().response
    expect(headers).toContainEqual(['x-first', '1'])
    expect(body.toString()).toBe('hello')
    server.removeAllListeners('request').on('request', (_, response) => void response.end('other'))
    expect((await client.send().response).body.toString()).toBe('other')
  })

  test('serves an Express app with the prototypes of the app', async () => {
    const app = express()
    app.get('/', (request, response) => void response.send(`${request.ip} ${request.hostname}`))
    const server = create(app)
    let isBornWithThem = false
    server.prependListener('request', () => {})
    server.removeAllListeners('request').on('request', (request, response) => {
      isBornWithThem = Object.getPrototypeOf(request) === app.request
      app(request, response)
    })
    const client = await listening(server)
    expect((await client.send().response).body.toString()).toBe('127.0.0.1 example.test')
    expect(isBornWithThem).toBe(false)
    server.removeAllListeners('request').on('request', app)
    app.use((request, _response, next) => {
      isBornWithThem = Object.getPrototypeOf(request) === app.request
      next()
    })
    await client.send({ path: '/x' }).response
    expect(isBornWithThem).toBe(true)
  })

  test('uses the classes IncomingMessage and ServerResponse of its options', async () => {
    class Request extends http.IncomingMessage {
      get query(): string {
        return this.url!.split('?')[1]!
      }
    }
    class Response extends ServerResponse {
      sendText(text: string): void {
        this.end(text)
      }
    }
    const server = create(
      { IncomingMessage: Request as never, ServerResponse: Response as never },
      (request, response) => (response as Response).sendText((request as Request).query),
    )
    const client = await listening(server)
    expect((await client.send({ path: '/?a=1' }).response).body.toString()).toBe('a=1')
  })

  test.each(['a listener', 'an Express app'])(
    'constructs requests and responses with these classes: %s',
    async (kind) => {
      class Request extends http.IncomingMessage {
        readonly field = `a field, and socket ${this.socket !== undefined}`
      }
      class Response extends ServerResponse {
        readonly #texts: string[]

        constructor(request: Request, options?: object) {
          // Node's types lack the second argument.
          super(...([request, options] as unknown as [Request]))
          this.#texts = [request.field, request.url!]
          this.sendTexts = () => void this.end(this.#texts.join(', '))
        }

        sendTexts: () => void
      }
      const listener = (_: unknown, response: unknown): void => (response as Response).sendTexts()
      const app = kind === 'a listener' ? listener : express().use(listener)
      const options = { IncomingMessage: Request as never, ServerResponse: Response as never }
      const client = await listening(create(options, app))
      const { body } = await client.send({ path: '/a' }).response
      expect(body.toString()).toBe('a field, and socket true, /a')
    },
  )

  test('has options of the FastCGI server, and those of node:http do no harm', async () => {
    const options = {
      mount: '/shop',
      maxBodyBytes: 3,
      requestTimeout: 1,
      keepAlive: true,
      logger: {},
    } as const
    const server = create(options, (request, response) => void request.pipe(response))
    Object.assign(server, {
      maxHeadersCount: 1,
      headersTimeout: 1,
      keepAliveTimeout: 1,
      maxRequestsPerSocket: 1,
      requestTimeout: 1,
    })
    const client = await listening(server)
    const sent = await client.send({ method: 'POST', path: '/shop/a', body: 'abc' }).response
    expect(sent.body.toString()).toBe('abc')
    expect((await client.send({ method: 'POST', path: '/shop', body: 'abcd' }).response).status).toBe(413)
  })
})

describe('where it listens', () => {
  test.each([
    ['a port', [0], '127.0.0.1'],
    ['a port as text', ['0'], '127.0.0.1'],
    ['a port and a host', [0, '127.0.0.1'], '127.0.0.1'],
    ['a port, a host and a backlog', [0, '127.0.0.1', 10], '127.0.0.1'],
    ['options', [{ port: 0, host: '127.0.0.1', exclusive: true, backlog: 1 }], '127.0.0.1'],
  ])('%s', async (_, args, address) => {
    const server = create(hello)
    const client = await listening(server, ...args)
    expect(server.address()).toMatchObject({ address })
    expect((await client.send().response).status).toBe(200)
  })

  test.each([
    ['an argument after the path', (path: string) => [path, 2]],
    ['an option', (path: string) => [{ path, backlog: 2 }]],
  ])('with a backlog: %s', async (_, argumentsFor) => {
    const path = `/tmp/fcgi-bridge-backlog-${process.pid}.sock`
    const server = create(hello)
    await new Promise<void>((resolve) => server.listen(...(argumentsFor(path) as []), resolve))
    // None is accepted before the last one is made. Linux lets one more wait.
    const sockets = Array.from({ length: 20 }, () => connect({ path }))
    const connected = sockets.map((socket) =>
      once(socket, 'connect').then(
        () => true,
        () => false,
      ),
    )
    expect((await Promise.all(connected)).filter(Boolean)).toHaveLength(3)
    for (const socket of sockets) socket.destroy()
  })

  test('a path', async () => {
    const path = `/tmp/fcgi-bridge-create-server-${process.pid}.sock`
    const server = create(hello)
    await new Promise<void>((resolve) => server.listen({ path, mode: 0o600 }, resolve))
    expect(server.address()).toBe(path)
    const stale = create(hello)
    stale.listen(path)
    const [error] = await once(stale, 'error')
    expect(error).toMatchObject({ code: 'EADDRINUSE', syscall: 'listen', address: path })
  })

  test('FCGI_BRIDGE_LISTEN, with no arguments or a port that is undefined', async () => {
    process.env.FCGI_BRIDGE_LISTEN = '127.0.0.1:0'
    try {
      for (const args of [[], [undefined], [{ port: undefined }]]) {
        const server = create(hello)
        const client = await listening(server, ...args, () => {})
        expect((await client.send().response).status).toBe(200)
        await server[Symbol.asyncDispose]()
      }
    } finally {
      delete process.env.FCGI_BRIDGE_LISTEN
    }
  })

  test('nowhere: the error says what to do', async () => {
    const server = create(hello)
    server.listen()
    const [error] = await once(server, 'error')
    expect(error.message).toMatch(
      /There is no address to listen on\.[\s\S]*Call listen\(9000\), listen\('\/run\/app\.sock'\)/,
    )
    expect(server.listening).toBe(false)
  })

  test('a port in use is the error that node:http emits', async () => {
    const first = create(hello)
    await listening(first)
    const { port } = first.address() as AddressInfo
    const errors = []
    for (const server of [create(hello), http.createServer(hello)]) {
      server.listen(port, '127.0.0.1')
      const [{ code, errno, syscall, address, port: used }] = await once(server, 'error')
      errors.push({ code, errno, syscall, address, used })
      expect([server.listening, server.address()]).toEqual([false, null])
    }
    expect(errors[0]).toEqual(errors[1])
    expect(errors[0]).toMatchObject({ code: 'EADDRINUSE', syscall: 'listen' })
  })

  test.each([[70_000], [-1], [{ port: 'x' }], [{}], [{ host: 'localhost' }], [{ port: 0, signal: 1 }]])(
    '%j is refused as node:http refuses it',
    (argument) => {
      const errors = [create(), http.createServer()].map((server) => {
        try {
          server.listen(argument as never)
        } catch (error) {
          return (error as NodeJS.ErrnoException).code
        }
        return 'none'
      })
      expect(errors[0]).toBe(errors[1])
    },
  )

  test('twice at a time is refused', async () => {
    const server = create(hello)
    await listening(server)
    expect(() => server.listen(0)).toThrow(expect.objectContaining({ code: 'ERR_SERVER_ALREADY_LISTEN' }))
  })

  test('a handle of another server is refused, with what to say instead', () => {
    expect(() => create().listen(createNetServer())).toThrow(/Pass \{ fd \}/)
  })
})

describe('close', () => {
  test('lets requests finish, and then calls back and emits', async () => {
    const events: string[] = []
    let respond = (): void => {}
    const server = create((_, response) => {
      respond = () => void response.end('whole')
    })
    const client = await listening(server)
    const exchange = client.send()
    await once(server, 'request')
    server.on('close', () => events.push('close'))
    const closed = new Promise<void>((resolve) =>
      server.close((error) => {
        events.push(`callback ${error}`)
        resolve()
      }),
    )
    expect([server.listening, server.address()]).toEqual([false, null])
    events.push('respond')
    respond()
    expect((await exchange.response).body.toString()).toBe('whole')
    await closed
    expect(events).toEqual(['respond', 'close', 'callback undefined'])
  })

  test('of a server that does not listen calls back with the error of node:http', async () => {
    for (const server of [create(), http.createServer()]) {
      const error = await new Promise((resolve) => server.close(resolve))
      expect(error).toMatchObject({ code: 'ERR_SERVER_NOT_RUNNING' })
    }
  })

  test('at once after listen() leaves nothing behind', async () => {
    const server = create(hello)
    const emitted: string[] = []
    server.on('listening', () => emitted.push('listening'))
    server.listen(0)
    await new Promise((resolve) => server.close(resolve))
    expect([emitted, server.listening]).toEqual([[], false])
  })

  test('and then listen again', async () => {
    const server = create(hello)
    for (let round = 0; round < 3; round++) {
      const client = await listening(server)
      expect((await client.send().response).status).toBe(200)
      await new Promise((resolve) => server.close(resolve))
    }
  })

  test.each(['the same server', 'another server'])(
    'and then listen on the same port at once: %s',
    async (which) => {
      const first = create(hello)
      const client = await listening(first)
      expect((await client.send().response).status).toBe(200)
      const { port } = first.address() as AddressInfo
      first.close()
      const second = which === 'another server' ? create(hello) : first
      const next = await listening(second, port, '127.0.0.1')
      expect((await next.send().response).status).toBe(200)
      // An address that other code uses is still an error.
      const third = create(hello)
      third.listen(port)
      expect(await once(third, 'error')).toMatchObject([{ code: 'EADDRINUSE' }])
    },
  )

  test('by a signal of listen()', async () => {
    const server = create(hello)
    const controller = new AbortController()
    await listening(server, { port: 0, host: '127.0.0.1', signal: controller.signal })
    controller.abort()
    await once(server, 'close')
    expect(server.listening).toBe(false)
    server.listen({ port: 0, signal: AbortSignal.abort() })
    await once(server, 'close')
  })

  test('closeAllConnections aborts what runs, closeIdleConnections does not', async () => {
    const server = create(() => {})
    const client = await listening(server)
    const exchange = client.send()
    const [request] = await once(server, 'request')
    server.closeIdleConnections()
    expect(await countConnections(server)).toBe(1)
    const closed = new Promise((resolve) => request.on('error', () => {}).on('close', resolve))
    server.closeAllConnections()
    await closed
    expect((await exchange.response).status).toBe(503)
  })
})

describe('connections', () => {
  test('each request has one, which closes after the response', async () => {
    const server = create(hello)
    const order: string[] = []
    server.on('connection', (socket) => {
      order.push(
        `connection from ${socket.remoteAddress} of ${(socket as { server?: unknown }).server === server}`,
      )
      socket.on('close', () => order.push('closed'))
    })
    server.on('request', (request) => order.push(`request ${request.url}`))
    const client = await listening(server)
    await client.send({ path: '/1' }).response
    await client.send({ path: '/2' }).response
    await expect.poll(() => order).toHaveLength(6)
    expect(order.filter((what) => !what.startsWith('closed'))).toEqual([
      'connection from 127.0.0.1 of true',
      'request /1',
      'connection from 127.0.0.1 of true',
      'request /2',
    ])
  })

  test('one that a listener destroys has no request', async () => {
    let requests = 0
    const server = create(() => void requests++)
    server.on('connection', (socket) => socket.destroy())
    const client = await listening(server)
    expect((await client.send().response).status).toBe(500)
    expect(requests).toBe(0)
  })

  test('server.timeout ends one that is silent, unless the server has a listener', async () => {
    const server = create(() => {})
    server.setTimeout(20)
    const client = await listening(server)
    expect((await client.send().response).status).toBe(500)
    server.on('timeout', (socket) => socket._httpMessage.end('late'))
    expect((await client.send().response).body.toString()).toBe('late')
  })

  test('an HTTP connection that the app injects is served', async () => {
    const server = create((request, response) => void response.end(`over HTTP: ${request.url}`))
    const inner = createNetServer((socket) => server.emit('connection', socket)).listen(0, '127.0.0.1')
    await once(inner, 'listening')
    const response = await fetch(`http://127.0.0.1:${(inner.address() as AddressInfo).port}/a`)
    expect(await response.text()).toBe('over HTTP: /a')
    inner.close()
    server.closeAllConnections()
  })

  test('a server that is unreferenced does not keep the process', async () => {
    const server = create(hello)
    expect(server.unref()).toBe(server)
    const client = await listening(server)
    expect((await client.send().response).status).toBe(200)
    expect(server.ref()).toBe(server)
  })
})

describe('events', () => {
  test('checkContinue and checkExpectation come in place of request', async () => {
    const server = create(hello)
    const client = await listening(server)
    const send = async (expectation: string): Promise<string> =>
      (await client.send({ headers: ['Expect', expectation] }).response).body.toString()
    expect([await send('100-continue'), await send('else')]).toEqual(['hello', 'hello'])
    server.on('checkContinue', (_, response) => {
      response.writeContinue()
      response.end('continued')
    })
    server.on('checkExpectation', (_, response) => void response.end('checked'))
    expect([await send('100-continue'), await send('else')]).toEqual(['continued', 'checked'])
  })

  test('clientError passes a closed socket: writing HTTP to it has no effect', async () => {
    const server = create(hello)
    const errors: Error[] = []
    server.on('clientError', (error, socket) => {
      errors.push(error)
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
    })
    const client = await listening(server)
    const { port } = server.address() as AddressInfo
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write('GET / HTTP/1.1\r\n\r\n')
    await once(socket, 'close')
    expect(errors).toHaveLength(1)
    expect((await client.send({ headers: ['Host', 'a/b'] }).response).status).toBe(400)
    expect(errors).toHaveLength(2)
  })

  test('a listener that throws or rejects is a 500, and the error goes to onError', async () => {
    const errors: unknown[] = []
    const server = create({ onError: (error) => errors.push(error) })
    server.on('request', async (request) => {
      if (request.url === '/throw') throw new Error('thrown')
    })
    server.on('request', (request) => {
      if (request.url === '/sync') throw new Error('sync')
    })
    const client = await listening(server)
    for (const path of ['/throw', '/sync']) expect((await client.send({ path }).response).status).toBe(500)
    expect(errors.map((error) => (error as Error).message)).toEqual(['thrown', 'sync'])
  })

  test('a request is a 500 if the server has no listener for it', async () => {
    const errors: unknown[] = []
    const client = await listening(create({ onError: (error) => errors.push(error) }))
    expect((await client.send().response).status).toBe(500)
    expect(errors).toEqual([new Error("The HTTP server has no 'request' listener.")])
  })
})

test('a kept connection of a front server is one connection, whatever it carries', async () => {
  const server = create(hello)
  await listening(server)
  const { port } = server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  const ended: number[] = []
  const reader = new RecordReader(({ type, id }) => void (type === TYPES.END_REQUEST && ended.push(id)))
  socket.on('data', (chunk: Buffer) => reader.push(chunk))
  for (const id of [1, 2]) {
    const head = { REQUEST_METHOD: 'GET', REQUEST_URI: '/', SERVER_PROTOCOL: 'HTTP/1.1', HTTP_HOST: 'a' }
    socket.write(Buffer.concat([begin(id, { keepConn: true }), params(id, head), record(TYPES.STDIN, id)]))
    await expect.poll(() => ended).toContain(id)
  }
  expect(await countConnections(server)).toBe(1)
  server.closeIdleConnections()
  await expect.poll(() => countConnections(server)).toBe(0)
})

function countConnections(server: Server): Promise<number> {
  return new Promise((resolve, reject) =>
    server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  )
}
