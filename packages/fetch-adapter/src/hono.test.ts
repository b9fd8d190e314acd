import { setImmediate as nextLoop } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { getConnInfo } from '@hono/node-server/conninfo'
import { Hono } from 'hono'
import { compress } from 'hono/compress'
import { getCookie, setCookie } from 'hono/cookie'
import { HTTPException } from 'hono/http-exception'
import { stream, streamSSE } from 'hono/streaming'
import { expect, onTestFinished, test } from 'vitest'
import { type FetchContext, serve, toHandler } from './index.ts'
import { deferred } from './testing/deferred.ts'
import { ask, Front, listen } from './testing/front.ts'

type Env = { Bindings: FetchContext }

test('an app is served unchanged', async () => {
  const app = new Hono()
  app.get('/hello/:name', (c) => c.text(`Hello ${c.req.param('name')}`))
  app.post('/form', async (c) => c.json(await c.req.parseBody()))
  const server = await serve(app, { port: 0, host: '127.0.0.1', handleSignals: false })
  onTestFinished(() => server.close())

  expect((await ask(server, { target: '/hello/J%C3%BCrgen' })).text).toBe('Hello Jürgen')
  const form = { body: 'a=1&b=2', headers: { 'content-type': 'application/x-www-form-urlencoded' } }
  expect((await ask(server, { target: '/form', ...form })).text).toBe('{"a":"1","b":"2"}')
  expect((await ask(server, { target: '/none' })).status).toBe(404)
  expect(await ask(server, { target: '/hello/x', method: 'HEAD' })).toMatchObject({ status: 200, text: '' })
})

test('getConnInfo of @hono/node-server returns the client', async () => {
  const app = new Hono<Env>()
  app.get('/', (c) => c.json(getConnInfo(c)))
  const server = await listen(toHandler(app.fetch))
  expect(JSON.parse((await ask(server)).text)).toEqual({
    remote: { address: '192.0.2.7', port: 40000, addressType: 'IPv4' },
  })
})

test('c.env is the context, and c.executionCtx.waitUntil works', async () => {
  const done: string[] = []
  const app = new Hono<Env>()
  app.get('/', (c) => {
    c.executionCtx.waitUntil(nextLoop().then(() => done.push('counted')))
    return c.text(`${c.env.params.REMOTE_USER} ${c.env.role}`)
  })
  const server = await listen(toHandler(app.fetch), { drainTimeout: 10_000 })
  expect((await ask(server, { params: { REMOTE_USER: 'ann' } })).text).toBe('ann responder')
  await server.close()
  expect(done).toEqual(['counted'])
})

test('c.env.incoming describes the request; there is no c.env.outgoing', async () => {
  const app = new Hono<Env>()
  app.get('/', (c) =>
    c.json([c.env.incoming.url, c.env.incoming.headers['x-a'], 'outgoing' in c.env, { ...c.env }.mount]),
  )
  const server = await listen(toHandler(app.fetch))
  expect((await ask(server, { target: '/?b', headers: { 'x-a': '1' } })).text).toBe('["/?b","1",false,""]')
})

test('request and response cookies', async () => {
  const app = new Hono()
  app.get('/', (c) => {
    setCookie(c, 'one', '1')
    setCookie(c, 'two', '2')
    return c.text(getCookie(c, 'session') ?? '')
  })
  const server = await listen(toHandler(app.fetch))
  const response = await ask(server, { headers: { cookie: 'a=b; session=xyz' } })
  expect(response.text).toBe('xyz')
  expect(response.headers.filter(([name]) => name === 'set-cookie').map(([, value]) => value)).toEqual([
    'one=1; Path=/',
    'two=2; Path=/',
  ])
})

test('server-sent events arrive one by one, and end when the client disconnects', async () => {
  const aborted = deferred()
  const next = [deferred(), deferred()]
  const app = new Hono()
  app.get('/', (c) =>
    streamSSE(c, async (events) => {
      events.onAbort(() => aborted.resolve())
      for (const [i, ready] of next.entries()) {
        await ready.promise
        await events.writeSSE({ data: `event ${i}` })
      }
      await aborted.promise
    }),
  )
  const server = await listen(toHandler(app.fetch))
  const front = await Front.connect(server)
  const request = front.request()
  expect((await request.head()).header('content-type')).toBe('text/event-stream')
  for (const [i, ready] of next.entries()) {
    ready.resolve()
    expect(await request.chunk()).toBe(`data: event ${i}\n\n`)
  }
  front.destroy()
  await aborted.promise
})

test('a response that streams the upload back', async () => {
  const app = new Hono()
  app.post('/', (c) => stream(c, (out) => out.pipe(c.req.raw.body!)))
  const server = await listen(toHandler(app.fetch))
  const body = Buffer.alloc(1_000_000, 'upload')
  expect((await ask(server, { body })).bytes.equals(body)).toBe(true)
})

test('compress', async () => {
  const app = new Hono()
  app.use(compress())
  app.get('/', (c) => c.text('word '.repeat(2000)))
  const server = await listen(toHandler(app.fetch))
  const response = await ask(server, { headers: { 'accept-encoding': 'gzip' } })
  expect(response.header('content-encoding')).toBe('gzip')
  expect(gunzipSync(response.bytes).toString()).toBe('word '.repeat(2000))
})

test("the app's error responses are sent", async () => {
  const app = new Hono()
  app.get('/teapot', () => {
    throw new HTTPException(418, { message: 'short and stout' })
  })
  app.get('/broken', () => {
    throw new Error('secret')
  })
  app.onError((error, c) => (error instanceof HTTPException ? error.getResponse() : c.text('sorry', 500)))
  const server = await listen(toHandler(app.fetch))
  expect(await ask(server, { target: '/teapot' })).toMatchObject({ status: 418, text: 'short and stout' })
  expect(await ask(server, { target: '/broken' })).toMatchObject({ status: 500, text: 'sorry' })
})
