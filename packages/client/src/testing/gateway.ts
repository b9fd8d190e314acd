import { once } from 'node:events'
import type { Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { Responder, type ResponderRequest } from '@fcgi-bridge/testing'
import { onTestFinished } from 'vitest'
import { createGateway, type GatewayOptions } from '../gateway/gateway.ts'

/** A gateway in front of a responder. */
export interface Gateway {
  readonly server: Server
  readonly responder: Responder
  readonly url: string
  readonly port: number
  /** The errors that onError was called with. */
  readonly errors: Error[]
}

/** Starts a gateway in front of a responder. Both are closed when the test has finished. */
export async function open(
  handler: (request: ResponderRequest) => void,
  options: GatewayOptions = {},
): Promise<Gateway> {
  const responder = await Responder.listen(handler)
  const errors: Error[] = []
  const server = createGateway(responder.address, { onError: (error) => errors.push(error), ...options })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await responder.close()
  })
  const { port } = server.address() as AddressInfo
  return { server, responder, port, url: `http://127.0.0.1:${port}`, errors }
}

/** Sends `request` unchanged. Returns the whole response when the gateway has closed the connection. */
export async function raw(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(request, 'latin1')
  const chunks = await socket.toArray()
  return Buffer.concat(chunks).toString('latin1')
}

/** Settles when nothing was read from a socket for some turns of the event loop. */
export async function untilStalled(socket: Socket): Promise<void> {
  for (let turns = 0, before = -1; turns < 100; turns++) {
    if (socket.bytesRead !== before) turns = 0
    before = socket.bytesRead
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Returns the params that the application gets for a request. */
export async function paramsOf(
  request: string,
  options: GatewayOptions = {},
): Promise<Record<string, string>> {
  const { port } = await open((r) => r.respond(`\r\n${JSON.stringify(r.params)}`), options)
  const response = await raw(port, request)
  return JSON.parse(/\{.*\}/s.exec(response)![0])
}
