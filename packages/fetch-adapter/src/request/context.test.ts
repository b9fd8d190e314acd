import { setImmediate as nextLoop } from 'node:timers/promises'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { type FetchContext, toHandler } from '../index.ts'
import { deferred } from '../testing/deferred.ts'
import { ask, Front, listen } from '../testing/front.ts'

test('has what FastCGI provides and a Request does not', async () => {
  const server = await listen(
    toHandler((_request, context) =>
      Response.json({
        remoteUser: context.params.REMOTE_USER,
        prototype: Object.getPrototypeOf(context.params),
        role: context.role,
        requestId: context.requestId,
        remoteAddress: context.remoteAddress,
        mount: context.mount,
        data: context.data === undefined,
        socket: {
          remoteAddress: context.incoming.socket.remoteAddress,
          remotePort: context.incoming.socket.remotePort,
          remoteFamily: context.incoming.socket.remoteFamily,
        },
      }),
    ),
    { mount: '/shop' },
  )
  const { text } = await ask(server, { target: '/shop/cart', params: { REMOTE_USER: 'ann' } })
  expect(JSON.parse(text)).toEqual({
    remoteUser: 'ann',
    prototype: null,
    role: 'responder',
    requestId: 1,
    remoteAddress: '192.0.2.7',
    mount: '/shop',
    data: true,
    socket: { remoteAddress: '192.0.2.7', remotePort: 40000, remoteFamily: 'IPv4' },
  })
})

test('an IPv6 client, and a client without an address', async () => {
  const server = await listen(
    toHandler((_request, { incoming }) =>
      Response.json([incoming.socket.remoteAddress ?? null, incoming.socket.remoteFamily ?? null]),
    ),
  )
  expect((await ask(server, { params: { REMOTE_ADDR: '2001:db8::1' } })).text).toBe('["2001:db8::1","IPv6"]')
  expect((await ask(server, { params: { REMOTE_ADDR: '' } })).text).toBe('[null,null]')
})

test('stderr is the error log of the front server', async () => {
  const server = await listen(
    toHandler((_request, { stderr }) => {
      stderr.write('to the log\n')
      return new Response('to the client')
    }),
  )
  expect(await ask(server)).toMatchObject({ stderr: 'to the log\n', text: 'to the client' })
})

test('the third argument is the context, with the members that Workers have', async () => {
  const contexts: unknown[] = []
  const server = await listen(
    toHandler((_request, context, executionContext) => {
      contexts.push(context, executionContext)
      executionContext.passThroughOnException()
      return Response.json(executionContext.props)
    }),
  )
  expect((await ask(server)).text).toBe('{}')
  expect(contexts[0]).toBe(contexts[1])
})

test('draining aborts when the server begins to drain, so that event streams can end', async () => {
  const server = await listen(
    toHandler((_request, { draining }) => {
      const body = new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode('data: first\n\n'))
          draining.addEventListener('abort', () => controller.close(), { once: true })
        },
      })
      return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } })
    }),
    { drainTimeout: 10_000 },
  )
  const response = ask(server)
  await expect.poll(() => server.stats().runningRequests).toBe(1)
  await nextLoop()
  const closed = server.close()
  expect((await response).text).toBe('data: first\n\n')
  await closed
})

describe('a filter', () => {
  const filter = async (request: Request, context: FetchContext): Promise<Response> => {
    const body = await request.text()
    return new Response(`${context.role}: ${body} and ${await new Response(context.data).text()}`)
  }

  test('gets the file as context.data, and the body as the body of the Request', async () => {
    const server = await listen({ filter: toHandler(filter) })
    const front = await Front.connect(server)
    const request = front.request({
      role: 'filter',
      body: 'form',
      params: { FCGI_DATA_LENGTH: '4', FCGI_DATA_LAST_MOD: '0' },
    })
    request.sendData('file')
    expect((await request.response()).text).toBe('filter: form and file')
  })

  test('can read a long file while the front server sends it, and need not read it', async () => {
    const server = await listen({
      filter: toHandler(async ({ url }, { data }) => {
        if (url.endsWith('/none')) return new Response('unread')
        let length = 0
        for await (const chunk of data!) length += chunk.length
        return new Response(String(length))
      }),
    })
    const front = await Front.connect(server)
    const params = { FCGI_DATA_LENGTH: '3000000' }
    for (const [target, text] of [
      ['/all', '3000000'],
      ['/none', 'unread'],
      ['/all', '3000000'],
    ] as const) {
      const request = front.request({ role: 'filter', target, params })
      request.sendData(new Uint8Array(3_000_000))
      expect((await request.response()).text).toBe(text)
    }
  })

  test('a file that is shorter than announced is an error for its reader', async () => {
    const server = await listen({
      filter: toHandler(async (_request, { data }) => {
        await expect(new Response(data).text()).rejects.toThrow()
        return new Response('noticed')
      }),
    })
    const front = await Front.connect(server)
    const request = front.request({ role: 'filter', params: { FCGI_DATA_LENGTH: '10' } })
    request.sendData('short')
    expect((await request.response()).text).toBe('noticed')
  })

  test('can cancel, and the rest is still read from the front server', async () => {
    const taken = deferred()
    const server = await listen({
      filter: toHandler(async (_request, { data }) => {
        const reader = data!.getReader()
        const { value } = await reader.read()
        await reader.cancel()
        await taken.promise
        return new Response(String(value![0]))
      }),
    })
    const front = await Front.connect(server)
    const length = 20 * 1024 * 1024
    const request = front.request({ role: 'filter', params: { FCGI_DATA_LENGTH: String(length) } })
    request.sendData(new Uint8Array(length).fill(7))
    await request.drained()
    taken.resolve()
    expect((await request.response()).text).toBe('7')
  })
})

describe('waitUntil', () => {
  test('a rejection goes to onError, and is never unhandled', async () => {
    const errors = deferred<unknown>()
    const server = await listen(
      toHandler((_request, context) => {
        context.waitUntil(Promise.reject(new Error('later')))
        return new Response('sent')
      }),
      { onError: (error, exchange) => errors.resolve([error, exchange.requestId]) },
    )
    expect((await ask(server)).text).toBe('sent')
    expect(await errors.promise).toEqual([expect.objectContaining({ message: 'later' }), 1])
  })

  test('takes any value, and server.close() waits for thenables', async () => {
    const work = deferred()
    const server = await listen(
      toHandler((_request, context) => {
        // biome-ignore lint/suspicious/noThenProperty: the test needs a thenable.
        context.waitUntil({ then: (resolve, reject) => work.promise.then(resolve as () => never, reject) })
        context.waitUntil('value' as never)
        return new Response()
      }),
      { drainTimeout: 10_000 },
    )
    await ask(server)
    let closed = false
    const closing = server.close().then(() => {
      closed = true
    })
    for (let turn = 0; turn < 20; turn++) await nextLoop()
    expect(closed).toBe(false)
    work.resolve()
    await closing
  })
})

describe('the members are own, enumerable and writable', () => {
  const NAMES = [
    'data',
    'draining',
    'incoming',
    'mount',
    'params',
    'passThroughOnException',
    'props',
    'remoteAddress',
    'requestId',
    'role',
    'stderr',
    'waitUntil',
  ]

  async function withContext(use: (context: FetchContext) => unknown): Promise<unknown> {
    let result: unknown
    const errors: unknown[] = []
    const server = await listen(
      toHandler((_request, context) => {
        result = use(context)
        return new Response()
      }),
      { onError: (error) => errors.push(error) },
    )
    await ask(server, { params: { REMOTE_USER: 'ann' } })
    expect(errors).toEqual([])
    return result
  }

  test('a copy has them all', async () => {
    for (const copy of [
      (context: FetchContext) => ({ ...context }),
      (context: FetchContext) => Object.assign({}, context),
      (context: FetchContext) =>
        Object.defineProperties({}, Object.getOwnPropertyDescriptors(context)) as FetchContext,
      (context: FetchContext) => Object.fromEntries(Object.entries(context)) as unknown as FetchContext,
    ]) {
      await withContext((context) => {
        const copied = copy(context)
        expect(Object.keys(copied).sort()).toEqual(NAMES)
        expect(copied.params.REMOTE_USER).toBe('ann')
        expect(copied.remoteAddress).toBe('192.0.2.7')
        expect(copied.incoming).toBe(context.incoming)
        copied.waitUntil(Promise.resolve())
      })
    }
  })

  test.each(NAMES)('%s', async (name) => {
    await withContext((context) => {
      const members = context as unknown as Record<string, unknown>
      expect([name in context, Object.hasOwn(context, name), Object.keys(context).includes(name)]).toEqual([
        true,
        true,
        true,
      ])
      const { value } = Object.getOwnPropertyDescriptor(context, name)!
      expect(members[name]).toBe(value)
      expect(Object.getOwnPropertyDescriptor(context, name)).toEqual({
        value,
        writable: true,
        enumerable: true,
        configurable: true,
      })
      members[name] = 'assigned'
      expect([members[name], { ...context }[name as keyof FetchContext]]).toEqual(['assigned', 'assigned'])
      delete members[name]
      expect([name in context, members[name], Object.keys(context).includes(name)]).toEqual([
        false,
        undefined,
        false,
      ])
      expect(Object.keys(context)).toHaveLength(NAMES.length - 1)
    })
    await withContext((context) => {
      const heir = Object.create(context) as Record<string, unknown>
      heir[name] = 'own'
      expect(heir[name]).toBe('own')
      expect((context as unknown as Record<string, unknown>)[name]).not.toBe('own')
      Object.defineProperty(context, name, { value: 'defined' })
      expect(Object.getOwnPropertyDescriptor(context, name)).toMatchObject({
        value: 'defined',
        enumerable: true,
      })
    })
  })

  test('members can be added, the context can be frozen, and inspect shows its members', async () => {
    await withContext((context) => {
      const members = context as unknown as Record<string, unknown>
      members.user = 'ann'
      expect({ ...context }).toMatchObject({ user: 'ann', role: 'responder' })
      expect('toString' in context).toBe(true)
      expect(inspect(context)).toMatch(/REMOTE_USER: 'ann'/)
      expect(members.other).toBeUndefined()
      Object.freeze(context)
      expect(() => {
        members.role = 'filter'
      }).toThrow(TypeError)
      expect([context.role, Object.isFrozen(context)]).toEqual(['responder', true])
    })
  })
})

test('incoming describes the request under the names of node:http', async () => {
  const server = await listen(
    toHandler((_request, { incoming }) => {
      const { method, url, httpVersion, headers, rawHeaders } = incoming
      expect(incoming.headers).toBe(headers)
      return Response.json([method, url, httpVersion, headers, rawHeaders, 'encrypted' in incoming.socket])
    }),
  )
  const request = {
    target: '/a?b=1',
    headers: { cookie: 'a=1', 'x-a': '1' },
    body: 'body',
    params: { HTTPS: 'on', SERVER_PROTOCOL: 'HTTP/2.0' },
  }
  const [method, url, version, headers, raw, encrypted] = JSON.parse((await ask(server, request)).text)
  expect([method, url, version, encrypted]).toEqual(['POST', '/a?b=1', '2.0', true])
  expect(headers).toMatchObject({ cookie: 'a=1', 'x-a': '1', host: 'front.test', 'content-length': '4' })
  expect(raw.slice(raw.indexOf('x-a'), raw.indexOf('x-a') + 2)).toEqual(['x-a', '1'])
  expect(JSON.parse((await ask(server)).text)[5]).toBe(false)
})

test('the Request has ip, runtime and waitUntil, like those of srvx', async () => {
  const done: string[] = []
  const server = await listen(
    toHandler((request, context) => {
      const { ip, runtime, waitUntil } = request as Request & {
        ip: string
        runtime: { name: string; fastcgi: FetchContext }
        waitUntil: FetchContext['waitUntil']
      }
      waitUntil(nextLoop().then(() => done.push('counted')))
      return Response.json([ip, runtime.name, runtime.fastcgi === context])
    }),
    { drainTimeout: 10_000 },
  )
  expect((await ask(server)).text).toBe('["192.0.2.7","fastcgi",true]')
  await server.close()
  expect(done).toEqual(['counted'])
})
