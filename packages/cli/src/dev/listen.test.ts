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

/** A port of a host that another program has. */
async function taken(host: string): Promise<number> {
  const other = createServer().listen(0, host)
  onTestFinished(() => void other.close())
  await once(other, 'listening')
  return (other.address() as AddressInfo).port
}

test('a port that is asked for and in use: what to do', async () => {
  const port = await taken('127.0.0.1')
  await expect(listenForHttp(httpServer(), { port, host: '127.0.0.1' })).rejects.toMatchObject({
    exitCode: EXIT.listen,
    code: 'EADDRINUSE',
    message: `Can not listen on 127.0.0.1: another program has port ${port} (EADDRINUSE). Stop it, or choose another port; --port 0 picks a free one.`,
  })
})

test('the usual port in use: a free one, and a notice that says so', async () => {
  const usual = await taken('127.0.0.1')
  const server = httpServer()
  const { url, notice } = await listenForHttp(server, { host: '127.0.0.1' }, usual)
  expect(notice).toBe(`Port ${usual} is in use, so this is a free one. --port chooses another.`)
  expect(url).toBe(`http://localhost:${(server.address() as AddressInfo).port}/`)
})

test('a port that another program has on ::1: the URL does not lead there', async () => {
  const port = await taken('::1')
  expect(await listenForHttp(httpServer(), { port, host: '127.0.0.1' })).toEqual({
    url: `http://127.0.0.1:${port}/`,
    notice: undefined,
  })
})

test('an address of another machine', async () => {
  await expect(listenForHttp(httpServer(), { port: 0, host: '192.0.2.1' })).rejects.toThrow(
    'Can not listen on 192.0.2.1: this machine has no such address (EADDRNOTAVAIL). Choose another --host.',
  )
})
