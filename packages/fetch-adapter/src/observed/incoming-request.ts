import { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Exchange } from '@fcgi-bridge/core'
import type { ClientSocket } from './client-socket.ts'

interface RequestInternals {
  /** Sets the raw headers. Node builds `headers` from them on first use. */
  _addHeaderLines(headers: readonly string[], length: number): void
}

// HTTP/2 and HTTP/3 have no minor version.
const PROTOCOL = /^HTTP\/\d(?:\.\d)?$/

/** The request that monitoring tools see. It has no body, because the fetch handler reads the body from the exchange. */
export class IncomingRequest extends IncomingMessage {
  /** The exchange that the handler gets. */
  exchange: Exchange

  constructor(socket: ClientSocket, exchange: Exchange) {
    super(socket as unknown as Socket)
    this.exchange = exchange
    socket.request = this
    this.method = exchange.method
    this.url = exchange.target
    const { headers } = exchange
    ;(this as unknown as RequestInternals)._addHeaderLines(headers, headers.length)
    const protocol = exchange.param('SERVER_PROTOCOL') ?? ''
    if (protocol === 'HTTP/1.1' || !PROTOCOL.test(protocol)) {
      this.httpVersionMajor = 1
      this.httpVersionMinor = 1
      this.httpVersion = '1.1'
    } else {
      this.httpVersionMajor = Number(protocol[5])
      this.httpVersionMinor = Number(protocol[7] ?? 0)
      this.httpVersion = `${this.httpVersionMajor}.${this.httpVersionMinor}`
    }
  }

  /** Call it when the response was sent. Emits 'end' and 'close'. */
  finish(): void {
    this.complete = true
    this.push(null)
    this.resume()
  }

  /** Call it when the request was aborted. Emits 'aborted', 'error' if it has a listener, and 'close'. */
  abort(): void {
    this.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }))
  }
}
