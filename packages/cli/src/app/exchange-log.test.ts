import { once } from 'node:events'
import { get } from 'node:http'
import { createGateway } from '@fcgi-bridge/client'
import { createServer, type Handler, type ServerOptions } from '@fcgi-bridge/core'
import { toHandler as fromListener } from '@fcgi-bridge/express-adapter'
import { toHandler as fromFetch } from '@fcgi-bridge/fetch-adapter'
import supertest from 'supertest'
import { expect, onTestFinished, test } from 'vitest'
import { type LogEntry, logExchanges } from './exchange-log.ts'

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736'

let log: (entry: LogEntry) => void
logExchanges((entry) => log(entry))

async function serveLogged(handler: Handler, options: ServerOptions = {}) {
  const entry = new Promise<LogEntry>((resolve) => {
    log = resolve
  })
  const server = createServer(handler, { onError() {}, ...options })
  await server.listen({ port: 0 })
  onTestFinished(() => server.close())
  const { port } = server.address() as { port: number }
  const gateway = createGateway(`127.0.0.1:${port}`, { onStderr() {}, onError() {} })
  return { gateway, client: supertest(gateway), entry }
}

test('logs a request with its trace id', async () => {
  const { client, entry } = await serveLogged((exchange) => {
    exchange.writeHead(201)
    exchange.end('wörld')
  })
  await client
    .post('/a?b')
    .set('User-Agent', 'test')
    .set('Traceparent', `00-${TRACE_ID}-00f067aa0ba902b7-01`)
    .send('body')
    .expect(201)
  expect(await entry).toMatchObject({
    method: 'POST',
    target: '/a?b',
    status: 201,
    bytes: 6,
    bytesIn: 4,
    role: 'responder',
    requestId: 1,
    userAgent: 'test',
    outcome: 'ended',
    traceId: TRACE_ID,
  })
  const { time, duration } = await entry
  expect(Math.abs(Date.now() - time.getTime())).toBeLessThan(60_000)
  expect(duration).toBeGreaterThan(0)
})

test.each([
  ['absent', undefined],
  ['of zeros', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`],
  ['of the invalid version', `ff-${TRACE_ID}-00f067aa0ba902b7-01`],
  ['in upper case', `00-${TRACE_ID.toUpperCase()}-00f067aa0ba902b7-01`],
  ['too long', `00-${TRACE_ID}-00f067aa0ba902b7-011`],
  ['anything', '-'.repeat(8000)],
])('a traceparent that is %s gives no trace id', async (_, traceparent) => {
  const { client, entry } = await serveLogged((exchange) => exchange.end())
  const request = client.get('/')
  if (traceparent !== undefined) request.set('Traceparent', traceparent)
  await request.expect(200)
  expect((await entry).traceId).toBeUndefined()
})

test('logs the error status of an app that fails', async () => {
  const { client, entry } = await serveLogged(() => {
    throw new Error('oops')
  })
  await client.get('/').expect(500)
  expect(await entry).toMatchObject({ status: 500, outcome: 'failed' })
})

test('logs a streamed response of a fetch handler', async () => {
  const { client, entry } = await serveLogged(fromFetch(() => new Response(new Blob(['hello']).stream())))
  await client.get('/').expect(200, 'hello')
  expect(await entry).toMatchObject({ status: 200, bytes: 5, outcome: 'ended' })
})

test('logs no body bytes for HEAD', async () => {
  const { client, entry } = await serveLogged(fromListener((_, res) => void res.end('hello')))
  await client.head('/').expect(200)
  expect(await entry).toMatchObject({ method: 'HEAD', status: 200, bytes: 0 })
})

test('logs the status that the server sends in place of the app: for a body that is too large, and after a time-out', async () => {
  const large = await serveLogged(
    fromFetch(async (request) => new Response(await request.text())),
    { maxBodyBytes: 3 },
  )
  // Without a Content-Length.
  const upload = large.client.post('/').set('Transfer-Encoding', 'chunked')
  upload.write('four')
  await upload.expect(413)
  expect(await large.entry).toMatchObject({ status: 413, outcome: 'failed' })

  const late = await serveLogged(() => {}, { requestTimeout: 1 })
  await late.client.get('/').expect(504)
  expect(await late.entry).toMatchObject({ status: 504, outcome: 'aborted' })
})

test('logs no status for a client that disconnects before the response', async () => {
  let running!: () => void
  const isRunning = new Promise<void>((resolve) => {
    running = resolve
  })
  const { gateway, entry } = await serveLogged(() => running())
  await once(gateway.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void gateway.close())
  const request = get(`http://127.0.0.1:${(gateway.address() as { port: number }).port}/`)
  request.on('error', () => {})
  await isRunning
  request.destroy()
  expect(await entry).toMatchObject({ status: undefined, outcome: 'aborted' })
})

test('logs a request that the server rejects', async () => {
  const { client, entry } = await serveLogged((exchange) => exchange.end(), { maxBodyBytes: 3 })
  await client.post('/').send('four').expect(413)
  expect(await entry).toMatchObject({ method: 'POST', status: 413, outcome: 'refused' })
})
