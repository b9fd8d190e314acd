import { once } from 'node:events'
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { EXIT } from '../exit-codes.ts'
import { listenForHttp } from './listen.ts'

function httpServer(): HttpServer {
  const server = createHttpServer()
  onTestFinished(() => void server.close())
  return server
}

/** Listens on a port and returns it. */
async function usedPort(host: string): Promise<number> {
  const other = createServer().listen(0, host)
  onTestFinished(() => void other.close())
  await once(other, 'listening')
  return (other.address() as AddressInfo).port
}

test('if the given port is in use, the error says what to do', async () => {
  const port = await usedPort('127.0.0.1')
  await expect(listenForHttp(httpServer(), { port, host: '127.0.0.1' })).rejects.toMatchObject({
    exitCode: EXIT.listen,
    code: 'EADDRINUSE',
    message: `Cannot listen on 127.0.0.1: port ${port} is in use by another program (EADDRINUSE). Stop that program, or choose another port. --port 0 picks a free one.`,
  })
})

test('if the default port is in use, the server listens on a free one, and the notice says so', async () => {
  const defaultPort = await usedPort('127.0.0.1')
  const server = httpServer()
  const { url, notice } = await listenForHttp(server, { host: '127.0.0.1' }, defaultPort)
  expect(notice).toBe(`Port ${defaultPort} is in use, so a free port was chosen. Use --port to choose one.`)
  expect(url).toBe(`http://localhost:${(server.address() as AddressInfo).port}/`)
})

test('if another program listens on the same port of ::1, the URL has 127.0.0.1 instead of localhost', async () => {
  const port = await usedPort('::1')
  expect(await listenForHttp(httpServer(), { port, host: '127.0.0.1' })).toEqual({
    url: `http://127.0.0.1:${port}/`,
    notice: undefined,
  })
})

test('an address of another machine is an error', async () => {
  await expect(listenForHttp(httpServer(), { port: 0, host: '192.0.2.1' })).rejects.toThrow(
    'Cannot listen on 192.0.2.1: this machine has no such address (EADDRNOTAVAIL). Choose another --host.',
  )
})
