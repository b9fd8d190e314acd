import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import type { Origin } from '../fronts/front.ts'
import { open, readUntil, send } from './http.ts'

const HEAD = 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 8\r\n\r\n'

test.each(['end', 'reset'])('a response that is cut off by the %s of its connection rejects', async (how) => {
  const origin = await serve((socket) => {
    socket.write(`${HEAD}half`, () => (how === 'end' ? socket.end() : socket.resetAndDestroy()))
  })
  await expect(send(origin, '/')).rejects.toThrow(/aborted|socket hang up|ECONNRESET/)
})

test('readUntil rejects if the response was cut off before the call', async () => {
  const origin = await serve((socket) => socket.end(`${HEAD}half`))
  const incoming = await open(origin, '/')
  const closed = new Promise((resolve) => incoming.once('close', resolve))
  incoming.resume()
  await closed
  await expect(readUntil(incoming, 'more')).rejects.toThrow('The body ended without "more"')
})

test('data after the end of a response is ignored', async () => {
  const origin = await serve((socket) => socket.end(`${HEAD}half<!DOCTYPE html>`))
  expect(await send(origin, '/')).toMatchObject({ status: 200, text: 'half<!DO' })
})

/** Starts a server that calls `respond` when the first bytes of a request arrive. */
async function serve(respond: (socket: Socket) => void): Promise<Origin> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => respond(socket))
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}
