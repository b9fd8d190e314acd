// undici's interceptors on the dispatcher, with core's server as the application.
import { gzipSync } from 'node:zlib'
import { createServer, type Exchange, FCGI_OVERLOADED, type ServerOptions } from '@fcgi-bridge/core'
import { type Dispatcher, interceptors } from 'undici'
import { expect, onTestFinished, test } from 'vitest'
import { FastCgiDispatcher } from './dispatcher.ts'
import { setup } from './testing/setup.ts'

const ORIGIN = 'http://app.test'

/** Starts a server of core and a dispatcher for it with these interceptors. `asked` collects the requested targets. */
async function start(
  handler: (exchange: Exchange) => void,
  list: Dispatcher.DispatcherComposeInterceptor[],
  options?: ServerOptions,
): Promise<{ get: (path: string) => Promise<Dispatcher.ResponseData>; asked: string[] }> {
  const asked: string[] = []
  const server = createServer((exchange) => {
    asked.push(exchange.target)
    handler(exchange)
  }, options)
  await server.listen({ host: '127.0.0.1', port: 0 })
  const { port } = server.address() as { port: number }
  const dispatcher = new FastCgiDispatcher({ port })
  onTestFinished(async () => {
    await dispatcher.destroy()
    await server.close()
  })
  const composed = dispatcher.compose(list)
  return { get: (path) => composed.request({ origin: ORIGIN, path, method: 'GET' }), asked }
}

function respond(exchange: Exchange, status: number, headers: string[], body: string | Buffer = ''): void {
  exchange.writeHead(status, headers)
  exchange.end(body)
}

test('redirect follows a Location', async () => {
  const { get, asked } = await start(
    (exchange) =>
      exchange.target === '/old'
        ? respond(exchange, 302, ['location', '/new'])
        : respond(exchange, 200, [], 'new'),
    [interceptors.redirect({ maxRedirections: 2 })],
  )
  const response = await get('/old')
  expect(await response.body.text()).toBe('new')
  expect(asked).toEqual(['/old', '/new'])
})

test('retry sends the request again after a 503', async () => {
  let busy = 2
  const { get, asked } = await start(
    (exchange) => (busy-- > 0 ? respond(exchange, 503, [], 'busy') : respond(exchange, 200, [], 'done')),
    [interceptors.retry({ minTimeout: 1 })],
  )
  const response = await get('/')
  expect(response.statusCode).toBe(200)
  expect(await response.body.text()).toBe('done')
  expect(asked).toHaveLength(3)
})

test('retry sends the request again after FCGI_OVERLOADED if its code is in errorCodes', async () => {
  let busy = 2
  const { dispatcher } = await setup((request) =>
    busy-- > 0 ? request.end(0, FCGI_OVERLOADED) : request.respond('\r\ndone'),
  )
  const composed = dispatcher.compose(
    interceptors.retry({ minTimeout: 1, errorCodes: ['FCGI_ERR_OVERLOADED'] }),
  )
  const response = await composed.request({ origin: ORIGIN, path: '/', method: 'GET' })
  expect(await response.body.text()).toBe('done')

  busy = 1
  const without = dispatcher.compose(interceptors.retry({ minTimeout: 1 }))
  await expect(without.request({ origin: ORIGIN, path: '/', method: 'GET' })).rejects.toMatchObject({
    code: 'FCGI_ERR_OVERLOADED',
    retryable: true,
  })
})

test('retry resumes an interrupted download', async () => {
  const { get, asked } = await start(
    (exchange) => {
      if (exchange.params.HTTP_RANGE !== undefined) {
        respond(exchange, 206, ['content-range', 'bytes 5-9/10', 'etag', '"one"'], '56789')
      } else {
        exchange.writeHead(200, ['content-length', '10', 'etag', '"one"', 'accept-ranges', 'bytes'])
        exchange.write('01234', () => exchange.fail(new Error('broken')))
      }
    },
    [
      interceptors.retry({
        minTimeout: 1,
        errorCodes: ['FCGI_ERR_CONNECTION_CLOSED', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH'],
      }),
    ],
    { onError: () => {} },
  )
  const response = await get('/file')
  expect(await response.body.text()).toBe('0123456789')
  expect(asked).toHaveLength(2)
})

test('cache serves a cacheable response without the application', async () => {
  const { get, asked } = await start(
    (exchange) => respond(exchange, 200, ['cache-control', 'public, max-age=60'], 'kept'),
    [interceptors.cache()],
  )
  for (let i = 0; i < 3; i++) expect(await (await get('/kept')).body.text()).toBe('kept')
  expect(asked).toEqual(['/kept'])
})

test('deduplicate sends concurrent equal requests once', async () => {
  const waiting: Exchange[] = []
  const { get, asked } = await start((exchange) => waiting.push(exchange), [interceptors.deduplicate()])
  const responses = [get('/same'), get('/same')]
  while (waiting.length === 0) await new Promise(setImmediate)
  respond(waiting[0]!, 200, [], 'once')
  for (const response of await Promise.all(responses)) expect(await response.body.text()).toBe('once')
  expect(asked).toEqual(['/same'])
})

test('decompress', async () => {
  const { get } = await start(
    (exchange) => respond(exchange, 200, ['content-encoding', 'gzip'], gzipSync('some text')),
    [interceptors.decompress()],
  )
  expect(await (await get('/')).body.text()).toBe('some text')
})

test('dump drops the body', async () => {
  const { get } = await start(
    (exchange) => respond(exchange, 200, ['content-length', '9'], 'some text'),
    [interceptors.dump({ maxSize: 1024 })],
  )
  expect(await (await get('/')).body.text()).toBe('')
})

test('responseError turns a 404 into an error', async () => {
  const { get } = await start(
    (exchange) => respond(exchange, 404, [], 'nothing'),
    [interceptors.responseError()],
  )
  await expect(get('/')).rejects.toMatchObject({ statusCode: 404 })
})
