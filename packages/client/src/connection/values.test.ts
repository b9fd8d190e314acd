import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import { createServer as createFastCgiServer } from '@fcgi-bridge/core'
import { Responder } from '@fcgi-bridge/testing'
import { errors } from 'undici'
import { expect, onTestFinished, test } from 'vitest'
import { getValues } from './values.ts'

async function listen(onData: (socket: import('node:net').Socket) => void): Promise<{ port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => onData(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return server.address() as { port: number }
}

test('the values of our own server', async () => {
  const server = createFastCgiServer(() => {}, { maxConnections: 7, maxRequests: 9 })
  await server.listen({ port: 0 })
  onTestFinished(() => server.close())
  const { port } = server.address() as { port: number }
  expect(await getValues({ port })).toEqual({ maxConns: 7, maxReqs: 9, mpxsConns: true })
})

test('a pending FCGI_GET_VALUES of a dispatcher does not keep the process alive', async () => {
  // Responds to requests, but never to FCGI_GET_VALUES.
  const responder = await Responder.listen((request) => request.respond('\r\nhello'))
  onTestFinished(() => responder.close())
  const program = `
    import { FastCgiDispatcher } from ${JSON.stringify(import.meta.resolve('@fcgi-bridge/client'))}
    const dispatcher = new FastCgiDispatcher(${JSON.stringify(responder.address)}, { multiplex: true })
    const { body } = await dispatcher.request({ origin: 'http://app.test', path: '/', method: 'GET' })
    await body.text()
    console.log(process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length)`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])
  expect(stdout).toBe('0\n')
})

test('a missing value, or one that is not a number, is undefined', async () => {
  const responder = await Responder.listen(() => {}, 'unix', { FCGI_MPXS_CONNS: '0', FCGI_MAX_REQS: 'many' })
  onTestFinished(() => responder.close())
  expect(await getValues(responder.address)).toEqual({
    maxConns: undefined,
    maxReqs: undefined,
    mpxsConns: false,
  })
})

test('an application that closes the connection instead', async () => {
  const { port } = await listen((socket) => void socket.end())
  await expect(getValues({ port })).rejects.toMatchObject({
    code: 'FCGI_ERR_CONNECTION_CLOSED',
    message: expect.stringContaining(`127.0.0.1:${port}`),
  })
})

test('an application that does not respond', async () => {
  const { port } = await listen(() => {})
  await expect(getValues({ port }, { timeout: 20 })).rejects.toThrow(errors.HeadersTimeoutError)
})

test('a server that does not speak FastCGI', async () => {
  const { port } = await listen((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await expect(getValues({ port })).rejects.toMatchObject({ code: 'FCGI_ERR_VERSION' })
})

test('no server, and an aborted query', async () => {
  await expect(getValues('/nowhere/app.sock')).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(getValues('nowhere')).rejects.toThrow(TypeError)
  const { port } = await listen(() => controller.abort(new Error('enough')))
  const controller = new AbortController()
  await expect(getValues({ port }, { signal: controller.signal })).rejects.toThrow('enough')
})
