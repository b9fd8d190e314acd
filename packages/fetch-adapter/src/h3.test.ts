import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { setImmediate as nextLoop } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createEventStream, getRequestIP, H3, HTTPError, onDispose, readBody, redirect, setCookie } from 'h3'
import { FastResponse } from 'srvx'
import { expect, onTestFinished, test } from 'vitest'
import { type FetchContext, serve, toHandler } from './index.ts'
import { deferred } from './testing/deferred.ts'
import { ask, Front, listen } from './testing/front.ts'

declare module 'h3' {
  interface H3EventContext {
    fcgi?: FetchContext
  }
}

const THIS_FILE = fileURLToPath(import.meta.url)

test('an app is served unchanged', async () => {
  const app = new H3()
  app.get('/hello/:name', (event) => `Hello ${event.context.params!.name}`)
  app.get('/json', () => ({ a: 1 }))
  app.get('/bytes', () => new Uint8Array([1, 2, 3]))
  app.get('/blob', () => new Blob(['blob'], { type: 'text/x-blob' }))
  app.get('/nothing', () => null)
  app.get('/to', () => redirect('/there'))
  app.post('/body', async (event) => await readBody(event))
  const server = await serve(app, { port: 0, host: '127.0.0.1', handleSignals: false })
  onTestFinished(() => server.close())

  expect(await ask(server, { target: '/hello/ann' })).toMatchObject({ status: 200, text: 'Hello ann' })
  const json = await ask(server, { target: '/json' })
  expect(json.text).toBe('{"a":1}')
  expect(json.header('content-type')).toBe('application/json;charset=UTF-8')
  expect(json.header('content-length')).toBe('7')
  expect([...(await ask(server, { target: '/bytes' })).bytes]).toEqual([1, 2, 3])
  expect(await ask(server, { target: '/blob' })).toMatchObject({ text: 'blob' })
  expect(await ask(server, { target: '/nothing' })).toMatchObject({ status: 200, text: '' })
  const to = await ask(server, { target: '/to' })
  expect([to.status, to.header('location')]).toEqual([302, '/there'])
  const body = { body: '{"x":[1]}', headers: { 'content-type': 'application/json' } }
  expect((await ask(server, { target: '/body', ...body })).text).toBe('{"x":[1]}')
  expect((await ask(server, { target: '/none' })).status).toBe(404)
  expect(await ask(server, { target: '/json', method: 'HEAD' })).toMatchObject({ status: 200, text: '' })
})

test('cookies and prepared headers', async () => {
  const app = new H3()
  app.get('/', (event) => {
    setCookie(event, 'one', '1')
    setCookie(event, 'two', '2')
    event.res.status = 201
    event.res.statusText = 'Made'
    return 'made'
  })
  const server = await listen(toHandler(app.fetch))
  const response = await ask(server)
  expect(response).toMatchObject({ status: 201, reason: 'Made', text: 'made' })
  expect(response.headers.filter(([name]) => name === 'set-cookie')).toHaveLength(2)
})

test('a Node stream', async () => {
  const app = new H3()
  app.get('/', () => createReadStream(THIS_FILE) as never)
  const server = await listen(toHandler(app.fetch))
  expect((await ask(server)).bytes.equals(await readFile(THIS_FILE))).toBe(true)
})

test('server-sent events arrive one by one, and onDispose runs when the client disconnects', async () => {
  const opened = deferred<{ push(message: string): Promise<void> }>()
  const disposed = deferred()
  const app = new H3()
  app.get('/', (event) => {
    const events = createEventStream(event)
    onDispose(event, () => disposed.resolve())
    opened.resolve(events)
    return events.send()
  })
  const server = await listen(toHandler(app.fetch))
  const front = await Front.connect(server)
  const request = front.request()
  const events = await opened.promise
  for (const word of ['one', 'two']) {
    void events.push(word)
    expect(await request.chunk()).toBe(`data: ${word}\n\n`)
  }
  front.destroy()
  await disposed.promise
})

test('the context that is passed to app.request', async () => {
  const done: string[] = []
  const app = new H3()
  app.get('/:id', (event) => {
    const { fcgi, params } = event.context
    fcgi!.waitUntil(nextLoop().then(() => done.push('counted')))
    return [fcgi!.role, params!.id, getRequestIP(event)]
  })
  const server = await listen(
    toHandler((request, context) =>
      app.request(request, undefined, { fcgi: context, clientAddress: context.remoteAddress! }),
    ),
    { drainTimeout: 10_000 },
  )
  expect((await ask(server, { target: '/7' })).text).toBe('["responder","7","192.0.2.7"]')
  await server.close()
  expect(done).toEqual(['counted'])
})

test('app.fetch without a context argument: getRequestIP, event.waitUntil and event.runtime work', async () => {
  const done: string[] = []
  const app = new H3()
  app.get('/', (event) => {
    event.waitUntil(nextLoop().then(() => done.push('counted')))
    const { fastcgi } = event.runtime as unknown as { fastcgi: FetchContext }
    return [getRequestIP(event), fastcgi.params.REMOTE_USER]
  })
  const server = await listen(toHandler(app.fetch), { drainTimeout: 10_000 })
  expect((await ask(server, { params: { REMOTE_USER: 'ann' } })).text).toBe('["192.0.2.7","ann"]')
  await server.close()
  expect(done).toEqual(['counted'])
})

test('error responses of the app are sent', async () => {
  const app = new H3({ silent: true })
  app.get('/teapot', () => {
    throw HTTPError.status(418, 'Teapot')
  })
  app.get('/broken', () => {
    throw new Error('secret')
  })
  const server = await listen(toHandler(app.fetch))
  expect(await ask(server, { target: '/teapot' })).toMatchObject({ status: 418, reason: 'Teapot' })
  const broken = await ask(server, { target: '/broken' })
  expect(broken.status).toBe(500)
  expect(broken.text).not.toContain('secret')
})

test("srvx's FastResponse is sent with its status, headers and body; a second use or an invalid header is a 500", async () => {
  const once = new FastResponse('once')
  const responses: Record<string, () => Response> = {
    '/text': () => new FastResponse('h\u00e9', { status: 201, statusText: 'Fast', headers: { 'X-A': 'b' } }),
    '/cookies': () =>
      new FastResponse(null, {
        headers: [
          ['set-cookie', 'a=1'],
          ['set-cookie', 'b=2'],
        ],
      }),
    '/stream': () => new FastResponse(ReadableStream.from([Buffer.from('str'), Buffer.from('eam')])),
    '/form': () => new FastResponse(new URLSearchParams({ a: 'b' })),
    '/used': () => new FastResponse('x'),
    '/split': () => new FastResponse('x', { headers: { 'x-a': 'one\r\ntwo: 2' } }),
    '/once': () => once,
    '/empty': () => new FastResponse(null, { status: 204 }),
  }
  const server = await listen(toHandler(({ url }) => responses[new URL(url).pathname]!()))
  const at = (target: string) => ask(server, { target })
  const text = await at('/text')
  expect(text).toMatchObject({ status: 201, reason: 'Fast', text: 'hé' })
  expect(text.headers).toEqual([
    ['x-a', 'b'],
    ['content-type', 'text/plain; charset=UTF-8'],
    ['content-length', '3'],
  ])
  expect((await at('/cookies')).headers.slice(0, 2)).toEqual([
    ['set-cookie', 'a=1'],
    ['set-cookie', 'b=2'],
  ])
  expect((await at('/stream')).text).toBe('stream')
  expect((await at('/form')).text).toBe('a=b')
  expect((await at('/split')).status).toBe(500)
  expect((await at('/once')).text).toBe('once')
  expect((await at('/once')).status).toBe(500)
  expect(await at('/empty')).toMatchObject({ status: 204, text: '' })
})
