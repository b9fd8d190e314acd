import { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Exchange } from '@fcgi-bridge/core'
import type { ClientSocket } from './client-socket.ts'

interface RequestInternals {
  /** The raw headers, of which `headers` is made when it is asked for. */
  _addHeaderLines(headers: readonly string[], length: number): void
}

// HTTP/2 and HTTP/3 have no minor version.
const PROTOCOL = /^HTTP\/\d(?:\.\d)?$/

/** What monitoring tools see of a request. The body is not in it: the fetch handler reads that from the exchange. */
export class IncomingRequest extends IncomingMessage {
  /** What the handler is called with. */
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

  /** The response was sent: nobody reads here. Emits 'end' and 'close'. */
  finish(): void {
    this.complete = true
    this.push(null)
    this.resume()
  }

  /** The request was aborted. Emits 'aborted', 'error' if somebody listens, and 'close'. */
  abort(): void {
    this.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }))
  }
}
