import { setImmediate as nextLoop } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { type FetchContext, toHandler } from './index.ts'
import { deferred } from './testing/deferred.ts'
import { ask, Front, listen } from './testing/front.ts'

test('tells what the Request can not', async () => {
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

test('an IPv6 client, and one without an address', async () => {
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

test('the third argument is the context, with what Workers have there', async () => {
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

describe('a filter', () => {
  const filter = async (request: Request, context: FetchContext): Promise<Response> => {
    const body = await request.text()
    return new Response(`${context.role}: ${body} and ${await new Response(context.data).text()}`)
  }

  test('gets the file as context.data, beside the body', async () => {
    const server = await listen({ filter: toHandler(filter) })
    const front = await Front.connect(server)
    const request = front.request({
      role: 'filter',
      body: 'form',
      params: { FCGI_DATA_LENGTH: '4', FCGI_DATA_LAST_MOD: '0' },
    })
    request.sendData('file')
    expect((await request.answer()).text).toBe('filter: form and file')
  })

  test('reads a long file as the front server sends it, and need not read it', async () => {
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
      expect((await request.answer()).text).toBe(text)
    }
  })

  test('a file that is not as long as was said fails for its reader', async () => {
    const server = await listen({
      filter: toHandler(async (_request, { data }) => {
        await expect(new Response(data).text()).rejects.toThrow()
        return new Response('noticed')
      }),
    })
    const front = await Front.connect(server)
    const request = front.request({ role: 'filter', params: { FCGI_DATA_LENGTH: '10' } })
    request.sendData('short')
    expect((await request.answer()).text).toBe('noticed')
  })

  test('that has enough cancels, and the rest is taken from the front server', async () => {
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
    expect((await request.answer()).text).toBe('7')
  })
})

describe('waitUntil', () => {
  test('a rejection goes to onError, and never is unhandled', async () => {
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

  test('takes any thenable, and what is none; server.close() waits for it', async () => {
    const work = deferred()
    const server = await listen(
      toHandler((_request, context) => {
        // biome-ignore lint/suspicious/noThenProperty: a thenable is what is tested.
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
