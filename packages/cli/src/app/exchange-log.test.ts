import { createGateway } from '@fcgi-bridge/client'
import { createServer, type Handler, type ServerOptions } from '@fcgi-bridge/core'
import supertest from 'supertest'
import { expect, onTestFinished, test } from 'vitest'
import { type JsonLogEntry, logExchanges } from './exchange-log.ts'

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736'

let log: (entry: JsonLogEntry) => void
logExchanges((entry) => log(entry))

async function serveLogged(handler: Handler, options: ServerOptions = {}) {
  const entry = new Promise<JsonLogEntry>((resolve) => {
    log = resolve
  })
  const server = createServer(handler, { onError() {}, ...options })
  await server.listen({ port: 0 })
  onTestFinished(() => server.close())
  const { port } = server.address() as { port: number }
  const gateway = createGateway(`127.0.0.1:${port}`, { onStderr() {}, onError() {} })
  return { client: supertest(gateway), entry }
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

test('logs a request that the server rejects', async () => {
  const { client, entry } = await serveLogged((exchange) => exchange.end(), { maxBodyBytes: 3 })
  await client.post('/').send('four').expect(413)
  expect(await entry).toMatchObject({ method: 'POST', status: 413, outcome: 'refused' })
})
