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

test('what our own server says', async () => {
  const server = createFastCgiServer(() => {}, { maxConnections: 7, maxRequests: 9 })
  await server.listen({ port: 0 })
  onTestFinished(() => server.close())
  const { port } = server.address() as { port: number }
  expect(await getValues({ port })).toEqual({ maxConns: 7, maxReqs: 9, mpxsConns: true })
})

test('that a dispatcher asks an application that is silent does not keep its process', async () => {
  // Answers requests, and the question never.
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

test('what is not said, or is no number, is undefined', async () => {
  const responder = await Responder.listen(() => {}, 'unix', { FCGI_MPXS_CONNS: '0', FCGI_MAX_REQS: 'many' })
  onTestFinished(() => responder.close())
  expect(await getValues(responder.address)).toEqual({
    maxConns: undefined,
    maxReqs: undefined,
    mpxsConns: false,
  })
})

test('an application that closes instead', async () => {
  const { port } = await listen((socket) => void socket.end())
  await expect(getValues({ port })).rejects.toMatchObject({
    code: 'FCGI_ERR_CONNECTION_CLOSED',
    message: expect.stringContaining(`127.0.0.1:${port}`),
  })
})

test('one that is silent', async () => {
  const { port } = await listen(() => {})
  await expect(getValues({ port }, { timeout: 20 })).rejects.toThrow(errors.HeadersTimeoutError)
})

test('something that speaks no FastCGI', async () => {
  const { port } = await listen((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await expect(getValues({ port })).rejects.toMatchObject({ code: 'FCGI_ERR_VERSION' })
})

test('nobody, and a question that is taken back', async () => {
  await expect(getValues('/nowhere/app.sock')).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(getValues('nowhere')).rejects.toThrow(TypeError)
  const { port } = await listen(() => controller.abort(new Error('enough')))
  const controller = new AbortController()
  await expect(getValues({ port }, { signal: controller.signal })).rejects.toThrow('enough')
})
