import { decodeNameValues, FCGI_HEADER_LEN } from '@fcgi-bridge/core'

/**
 * Watches requests on the wire, for inspectors and logs. Every method is optional, and no event is created for a missing one.
 * Times are in milliseconds since the request's {@link ExchangeObserver.onBegin}. An error that a method throws does not fail the
 * request: it becomes an uncaught exception.
 *
 * A request begins when it gets a connection. One that is refused before that has no events. A request that is sent again on
 * another connection is another exchange, with another id.
 */
export interface ExchangeObserver {
  /** The request has a connection, which may not be open yet. */
  onBegin?(event: ExchangeBegin): void
  /** A record's header was written to the connection, or read from it. */
  onRecord?(event: ExchangeRecord): void
  /** The application wrote to FCGI_STDERR. */
  onStderr?(event: ExchangeStderr): void
  /** The response head was received. */
  onHead?(event: ExchangeHead): void
  /** Called once, last: the application has ended the request, or the connection has closed. */
  onEnd?(event: ExchangeEnd): void
}

/** A request has a connection. */
export interface ExchangeBegin {
  /** Identifies this exchange in all of its events. Unique in the process. */
  readonly id: number
  readonly method: string
  /** Path and query of the request. */
  readonly target: string
  /** The params as they are sent, in latin1 (one character per byte). */
  readonly params: readonly (readonly [name: string, value: string])[]
  /** The FastCGI request id on the connection (section 3.3). */
  readonly requestId: number
  /** The number of the dispatcher's connection, counted from 1. A number that appears again is a reused connection. */
  readonly connection: number
}

/** The header of a record. */
export interface ExchangeRecord {
  readonly id: number
  readonly direction: 'sent' | 'received'
  /** The record's type, as FCGI_STDOUT in @fcgi-bridge/core (section 8). */
  readonly type: number
  /** In bytes, without the 8 bytes of the header. */
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

/** The head of a response. */
export interface ExchangeHead {
  readonly id: number
  readonly status: number
  /** [name, value, name, value…] as received, including repeated headers, without `Status`. One character per byte (latin1). */
  readonly headers: readonly string[]
  readonly time: number
}

/** How a request ended. */
export interface ExchangeEnd {
  readonly id: number
  /** The appStatus of END_REQUEST (section 5.5). Undefined if the connection closed without one. */
  readonly appStatus?: number
  readonly protocolStatus?: number
  /** The error that the request failed with, including an abort by its own client. Undefined if it succeeded. */
  readonly error?: Error
  readonly time: number
}

let lastId = 0

/** Creates the events of one request for its observer. */
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
    this.#notify(() => observer.onBegin!({ id: this.#id, method, target, params, requestId, connection }))
  }

  record(direction: 'sent' | 'received', type: number, contentLength: number, paddingLength: number): void {
    const event = { id: this.#id, direction, type, contentLength, paddingLength, time: this.#time }
    this.#notify(() => this.#observer.onRecord?.(event))
  }

  stderr(chunk: Buffer): void {
    this.#notify(() => this.#observer.onStderr?.({ id: this.#id, chunk, time: this.#time }))
  }

  head(status: number, headers: readonly string[]): void {
    this.#notify(() => this.#observer.onHead?.({ id: this.#id, status, headers, time: this.#time }))
  }

  end(how: { appStatus?: number; protocolStatus?: number; error?: Error }): void {
    this.#notify(() => this.#observer.onEnd?.({ id: this.#id, ...how, time: this.#time }))
  }

  get #time(): number {
    return performance.now() - this.#begin
  }

  // An observer's bug must not fail the request.
  #notify(call: () => void): void {
    try {
      call()
    } catch (error) {
      process.nextTick(() => {
        throw error
      })
    }
  }
}

/** Finds the record headers in a byte stream that arrives in pieces of any size. */
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
