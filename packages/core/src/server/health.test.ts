import { expect, test } from 'vitest'
import { App, connected, echo } from '../testing/serving.ts'
import { createServer } from './server.ts'

// What HAProxy's `option httpchk` sends on a FastCGI server: no HTTP_HOST, no REMOTE_ADDR.
const CHECK = {
  REQUEST_URI: '/healthz',
  SERVER_PROTOCOL: 'HTTP/1.0',
  HTTP_HOST: '',
  REMOTE_ADDR: '',
  SERVER_NAME: '',
}

test('the server responds to the health path without the app: with 200, and with 503 after announceClose()', async () => {
  const { peer, server } = await connected(echo, { healthPath: '/healthz' })
  const ask = async (params: Record<string, string>): Promise<string> => {
    peer.forget().get(1, params, { keepConn: true })
    return (await peer.response(1)).stdout
  }
  expect(await ask(CHECK)).toMatch(/^Status: 200 OK\r\n[\s\S]*\r\n\r\nok\n$/)
  expect(await ask({ ...CHECK, REQUEST_URI: '/healthz?verbose' })).toMatch(/^Status: 200 /)
  expect(await ask({ ...CHECK, REQUEST_METHOD: 'HEAD' })).toMatch(/^Status: 200 OK\r\n[\s\S]*\r\n\r\n$/)
  expect(await ask({ REQUEST_URI: '/healthz/other' })).toMatch(/GET \/healthz\/other $/)
  server.announceClose()
  expect(await ask(CHECK)).toMatch(/^Status: 503 Service Unavailable\r\n[\s\S]*\r\n\r\ndraining\n$/)
  expect(await ask({})).toMatch(/GET \/ $/)
  expect(server.stats().state).toBe('listening')
})

test('the health path is 503 while the server drains', async () => {
  const app = new App()
  const { peer, server } = await connected(app.handler, { healthPath: '/healthz' })
  peer.get(1, {}, { keepConn: true })
  const exchange = await app.next()
  const close = server.close()
  peer.get(2, CHECK, { keepConn: true })
  expect((await peer.response(2)).stdout).toMatch(/^Status: 503 /)
  exchange.end('whole')
  expect((await peer.response(1)).stdout).toMatch(/whole$/)
  await close
})

test('the health path is refused without a responder, which health checks need', () => {
  expect(() => createServer({ authorizer: echo }, { healthPath: '/healthz' })).toThrow(
    'The option healthPath needs a responder handler',
  )
})

test.each(['healthz', '', '/a b', '/a?b', 7])('the health path %j is refused', (healthPath) => {
  expect(() => createServer(echo, { healthPath: healthPath as string })).toThrow(
    /^The option healthPath must be a path like '\/healthz'/,
  )
})
