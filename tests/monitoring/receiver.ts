import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { gunzipSync, inflateSync } from 'node:zlib'

/** A request that a tool sent to its receiver. */
export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** Decoded according to Content-Encoding. */
  readonly body: Buffer
}

/** Receives the data of a monitoring tool: an HTTP server on 127.0.0.1 that keeps all requests. */
export class Receiver {
  readonly received: Received[] = []
  readonly #server: Server
  #changed: (() => void)[] = []

  /** `respond` returns the body of each response. Default: `{}`. With `tls`, in PEM, the server uses HTTPS. */
  constructor(respond: (received: Received) => string = () => '{}', tls?: { key: Buffer; cert: Buffer }) {
    const listener: RequestListener = async (request, response) => {
      // A tool that is killed at the end of a failed test does not complete its request.
      const raw = await buffer(request).catch(() => undefined)
      if (raw === undefined) return
      const received = {
        method: request.method!,
        path: request.url!,
        headers: request.headers,
        body: decompress(raw, request.headers['content-encoding']),
      }
      this.received.push(received)
      response.setHeader('content-type', 'application/json')
      response.end(respond(received))
      for (const resolve of this.#changed.splice(0)) resolve()
    }
    this.#server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return this.url
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Waits until `find` returns a value. */
  async until<T>(find: () => T | undefined): Promise<T> {
    for (;;) {
      const found = find()
      if (found !== undefined) return found
      await new Promise<void>((resolve) => this.#changed.push(resolve))
    }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

function decompress(bytes: Buffer, encoding: string | undefined): Buffer {
  if (encoding === 'gzip') return gunzipSync(bytes)
  return encoding === 'deflate' ? inflateSync(bytes) : bytes
}
