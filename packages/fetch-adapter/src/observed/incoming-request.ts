import { type IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Exchange } from '@fcgi-bridge/core'
import { separateKeptHeaders } from '@fcgi-bridge/core/monitoring'
import type { ClientSocket } from './client-socket.ts'

interface RequestInternals {
  /** Sets the raw headers. Node builds `headers` from them on first use. */
  _addHeaderLines(headers: readonly string[], length: number): void
  /** Drops the body, so that the stream ends. */
  _dump(): void
  /** The number of events with listeners. */
  readonly _eventsCount: number
  readonly _readableState: {
    ended: boolean
    endEmitted: boolean
    destroyed: boolean
    closed: boolean
    closeEmitted: boolean
  }
}

const { _addHeaderLine: addNodeHeaderLine } = IncomingMessage.prototype as unknown as {
  _addHeaderLine(name: string, value: string, headers: IncomingHttpHeaders): void
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
    const internals = this as unknown as RequestInternals
    const { headers } = exchange
    separateKeptHeaders(headers)
    internals._addHeaderLines(headers, headers.length)
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

  /**
   * Adds a header to `headers`, which every tool reads. Node's own method takes four times as long, because it accepts names in any case.
   * It still adds the headers that it joins, or drops if they are repeated.
   */
  _addHeaderLine(name: string, value: string, headers: IncomingHttpHeaders): void {
    if (headers[name] === undefined && name !== 'set-cookie') headers[name] = value
    else addNodeHeaderLine.call(this, name, value, headers)
  }

  /** Call it on the tick after 'finish' of the response. Emits 'end' and 'close' if they have listeners. */
  finish(): void {
    const internals = this as unknown as RequestInternals
    this.complete = true
    if (internals._eventsCount === 0 && this.readableFlowing === null) {
      // The stream would emit both after another two to four ticks. Set the state that it has then, as Node does with the option
      // `optimizeEmptyRequests`.
      const state = internals._readableState
      state.ended = true
      state.endEmitted = true
      state.destroyed = true
      state.closed = true
      state.closeEmitted = true
    } else {
      this.push(null)
      internals._dump()
    }
  }

  /** Call it when the request was aborted. Emits 'aborted', 'error' if it has a listener, and 'close'. */
  abort(): void {
    this.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }))
  }
}
