import { decodeNameValues, FCGI_HEADER_LEN } from '@fcgi-bridge/core'

/**
 * Watches requests on the wire, for inspectors and logs: every method is optional, and nothing is made for one that is
 * not there. Times are in milliseconds since the request's {@link ExchangeObserver.onBegin}. What a method throws
 * is thrown again outside of the request, as an uncaught exception.
 *
 * A request that waits for a connection has not begun, and one that is refused before it has one never does. One that
 * is sent again on another connection is another exchange, with an id of its own.
 */
export interface ExchangeObserver {
  /** The request has a connection, which may still have to come up. */
  onBegin?(event: ExchangeBegin): void
  /** A record's header was written to the connection, or read from it. */
  onRecord?(event: ExchangeRecord): void
  /** A piece of what the application writes to FCGI_STDERR. */
  onStderr?(event: ExchangeStderr): void
  /** The head of the answer is there. */
  onHead?(event: ExchangeHead): void
  /** Called once, and last: the application has ended the request, or the connection is gone. */
  onEnd?(event: ExchangeEnd): void
}

/** A request has a connection. */
export interface ExchangeBegin {
  /** Names this exchange in all that is told of it: unique in the process. */
  readonly id: number
  readonly method: string
  /** The path and query that were asked for. */
  readonly target: string
  /** As they are sent: one character a byte (latin1). */
  readonly params: readonly (readonly [name: string, value: string])[]
  /** The FastCGI request id on the connection (section 3.3). */
  readonly requestId: number
  /** Which of the dispatcher's connections, counted from 1. One that was seen before is a kept one. */
  readonly connection: number
}

/** The header of a record. */
export interface ExchangeRecord {
  readonly id: number
  readonly direction: 'sent' | 'received'
  /** The record's type, as FCGI_STDOUT in @fcgi-bridge/core (section 8). */
  readonly type: number
  /** In bytes, the header's 8 not counted. */
  readonly contentLength: number
  /** In bytes. */
  readonly paddingLength: number
  readonly time: number
}

/** A piece of FCGI_STDERR. */
export interface ExchangeStderr {
  readonly id: number
  readonly chunk: Buffer
  readonly time: number
}

/** The head of an answer. */
export interface ExchangeHead {
  readonly id: number
  readonly status: number
  /** [name, value, name, value…] as received, repeats kept, `Status` left out. One character a byte (latin1). */
  readonly headers: readonly string[]
  readonly time: number
}

/** How a request ended. */
export interface ExchangeEnd {
  readonly id: number
  /** Of END_REQUEST (section 5.5); undefined where the connection ended without one. */
  readonly appStatus?: number
  readonly protocolStatus?: number
  /** What the request failed with, the abort of its own client included. Undefined when it has gone well. */
  readonly error?: Error
  readonly time: number
}

let lastId = 0

/** One request, as its observer sees it. */
export class Observation {
  readonly #observer: ExchangeObserver
  readonly #id = ++lastId
  readonly #begin = performance.now()

  constructor(
    observer: ExchangeObserver,
    request: {
      readonly method: string
      readonly target: string
      readonly params: readonly string[]
    },
    requestId: number,
    connection: number,
  ) {
    this.#observer = observer
    if (observer.onBegin === undefined) return
    const { method, target } = request
    const params = decodeNameValues(Buffer.from(request.params.join(''), 'latin1'))
    this.#tell(() => observer.onBegin!({ id: this.#id, method, target, params, requestId, connection }))
  }

  record(direction: 'sent' | 'received', type: number, contentLength: number, paddingLength: number): void {
    const event = { id: this.#id, direction, type, contentLength, paddingLength, time: this.#time }
    this.#tell(() => this.#observer.onRecord?.(event))
  }

  stderr(chunk: Buffer): void {
    this.#tell(() => this.#observer.onStderr?.({ id: this.#id, chunk, time: this.#time }))
  }

  head(status: number, headers: readonly string[]): void {
    this.#tell(() => this.#observer.onHead?.({ id: this.#id, status, headers, time: this.#time }))
  }

  end(how: { appStatus?: number; protocolStatus?: number; error?: Error }): void {
    this.#tell(() => this.#observer.onEnd?.({ id: this.#id, ...how, time: this.#time }))
  }

  get #time(): number {
    return performance.now() - this.#begin
  }

  // An inspector's bug must not become the request's.
  #tell(call: () => void): void {
    try {
      call()
    } catch (error) {
      process.nextTick(() => {
        throw error
      })
    }
  }
}

/** Finds the record headers in a byte stream however it is cut. */
export class RecordTap {
  readonly #onHeader: (type: number, requestId: number, contentLength: number, paddingLength: number) => void
  readonly #header: Buffer = Buffer.alloc(FCGI_HEADER_LEN)
  #headerLength = 0
  // Bytes to the next header.
  #left = 0

  constructor(
    onHeader: (type: number, requestId: number, contentLength: number, paddingLength: number) => void,
  ) {
    this.#onHeader = onHeader
  }

  push(chunk: Uint8Array): void {
    const header = this.#header
    for (let at = 0; at < chunk.length; ) {
      if (this.#left > 0) {
        const passed = Math.min(this.#left, chunk.length - at)
        this.#left -= passed
        at += passed
        continue
      }
      header[this.#headerLength++] = chunk[at++]!
      if (this.#headerLength < FCGI_HEADER_LEN) continue
      this.#headerLength = 0
      const contentLength = header.readUInt16BE(4)
      const paddingLength = header[6]!
      this.#left = contentLength + paddingLength
      this.#onHeader(header[1]!, header.readUInt16BE(2), contentLength, paddingLength)
    }
  }
}
