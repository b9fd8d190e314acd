import { once } from 'node:events'
import { get, type Server } from 'node:http'
import { createGateway } from '@fcgi-bridge/client'
import { createServer, type Handler } from '@fcgi-bridge/core'
import { toHandler as fromListener } from '@fcgi-bridge/express-adapter'
import { toHandler as fromFetch } from '@fcgi-bridge/fetch-adapter'
import supertest from 'supertest'
import { expect, onTestFinished, test } from 'vitest'
import { formatCombined, formatShort, type LogEntry, withLog } from './access-log.ts'

async function serveLogged(
  handler: Handler,
): Promise<{ gateway: Server; client: ReturnType<typeof supertest>; entry: Promise<LogEntry> }> {
  let resolve!: (entry: LogEntry) => void
  const entry = new Promise<LogEntry>((settle) => {
    resolve = settle
  })
  const server = createServer(withLog(handler, resolve), { onError: () => {} })
  await server.listen({ port: 0 })
  onTestFinished(() => server.close())
  const address = server.address() as { port: number }
  const gateway = createGateway(`127.0.0.1:${address.port}`, { onStderr() {}, onError() {} })
  return { gateway, client: supertest(gateway), entry }
}

const ENTRY: LogEntry = {
  time: new Date(Date.UTC(2026, 10, 5, 20, 50, 1)),
  remoteAddress: '192.0.2.1',
  remoteUser: undefined,
  method: 'GET',
  target: '/cart?x=1',
  protocol: 'HTTP/1.1',
  status: 404,
  bytes: 512,
  duration: 3.21,
  referrer: undefined,
  userAgent: 'curl "7"\x1b[2J\nGET',
  outcome: 'ended',
}

test('logs a response in the style of Express', async () => {
  const { client, entry } = await serveLogged(
    fromListener((_, res) => {
      res.writeHead(201)
      res.write('hello ')
      res.end('wörld')
    }),
  )
  await client.post('/a?b').set('User-Agent', 'test').expect(201)
  expect(await entry).toMatchObject({
    method: 'POST',
    target: '/a?b',
    status: 201,
    bytes: 12,
    userAgent: 'test',
    remoteAddress: expect.stringMatching(/127\.0\.0\.1|::1/),
    outcome: 'ended',
  })
})

test('logs a streamed response of a fetch handler', async () => {
  const { client, entry } = await serveLogged(fromFetch(() => new Response(new Blob(['hello']).stream())))
  await client.get('/').expect(200, 'hello')
  expect(await entry).toMatchObject({ status: 200, bytes: 5, outcome: 'ended' })
})

test('logs no body bytes for HEAD', async () => {
  const { client, entry } = await serveLogged(fromListener((_, res) => void res.end('hello')))
  await client.head('/').expect(200)
  expect(await entry).toMatchObject({ method: 'HEAD', bytes: 0 })
})

test('logs the error status of an app that fails', async () => {
  const { client, entry } = await serveLogged(
    fromListener(() => {
      throw new Error('oops')
    }),
  )
  await client.get('/').expect(500)
  expect(await entry).toMatchObject({ status: 500, outcome: 'failed' })
})

test('logs a request that the client aborts', async () => {
  const { gateway, entry } = await serveLogged(fromListener((_, res) => void res.write('never more')))
  await once(gateway.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void gateway.close())
  const request = get(`http://127.0.0.1:${(gateway.address() as { port: number }).port}/`)
  const [response] = await once(request, 'response')
  response.destroy()
  expect(await entry).toMatchObject({ outcome: 'aborted' })
})

test('the short format', () => {
  expect(formatShort(ENTRY, (_, text) => text)).toBe('GET /cart?x=1 404 3.2 ms - 512')
  expect(formatShort({ ...ENTRY, target: '/\x1b[2J', outcome: 'failed' }, (_, text) => text)).toBe(
    'GET /\\x1b[2J 404 3.2 ms - 512 failed',
  )
})

test('the combined format escapes quotes and control characters', () => {
  expect(formatCombined(ENTRY)).toBe(
    '192.0.2.1 - - [05/Nov/2026:20:50:01 +0000] "GET /cart?x=1 HTTP/1.1" 404 512 "-" "curl \\"7\\"\\x1b[2J\\nGET"',
  )
})
