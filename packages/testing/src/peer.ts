import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import { type Bytes, bytes } from './bytes.ts'
import { RecordReader, type WireRecord } from './record-reader.ts'
import { type BeginOptions, begin, record, stream, TYPES } from './records.ts'
import { get, type ParamList, POST, params } from './requests.ts'

/** The response to one request, as latin1 text, and the body of its END_REQUEST. */
export interface PeerResponse {
  stdout: string
  stderr: string
  appStatus: number
  protocolStatus: number
}

/** The front server's end of one connection. */
export class Peer {
  readonly socket: Duplex
  /** The records received, in order. */
  readonly records: WireRecord[] = []
  readonly #reader = new RecordReader((record) => this.records.push(record))
  #waiting: (() => void)[] = []
  /** The number of chunks read from the socket. */
  reads = 0
  /** The server ended the stream. */
  ended = false
  /** The connection is closed. */
  closed = false
  /** The error that closed the connection, if any. */
  error: NodeJS.ErrnoException | undefined

  constructor(socket: Duplex) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.reads++
      this.#reader.push(chunk)
      this.#wake()
    })
    socket.on('end', () => {
      this.ended = true
      this.#wake()
    })
    socket.on('error', (error) => {
      this.error = error
    })
    socket.on('close', () => {
      this.closed = true
      this.#wake()
    })
  }

  /**
   * An invalid record arrived. A server that cannot reset the connection (over a Unix socket) sends one to show that a response is
   * incomplete.
   */
  get invalidRecord(): boolean {
    return this.#reader.invalid
  }

  /** Connects with `allowHalfOpen`, so that either side may end first. */
  static async connect(
    address: { port: number; host?: string; localAddress?: string } | { path: string },
  ): Promise<Peer> {
    const socket: Socket = connect({ ...address, allowHalfOpen: true })
    // All front servers disable Nagle's algorithm, which delays a small write until the previous one is acknowledged.
    socket.setNoDelay()
    await once(socket, 'connect')
    return new Peer(socket)
  }

  /** Sends bytes as they are, in one write. */
  write(...parts: Bytes[]): this {
    this.socket.write(bytes(...parts))
    return this
  }

  begin(id: number, options?: BeginOptions): this {
    return this.write(begin(id, options))
  }

  params(id: number, list?: ParamList): this {
    return this.write(params(id, list))
  }

  stdin(id: number, content: Bytes): this {
    return this.write(stream(TYPES.STDIN, id, content))
  }

  endStdin(id: number): this {
    return this.write(record(TYPES.STDIN, id))
  }

  data(id: number, content: Bytes): this {
    return this.write(stream(TYPES.DATA, id, content))
  }

  endData(id: number): this {
    return this.write(record(TYPES.DATA, id))
  }

  abort(id: number, content: Bytes = ''): this {
    return this.write(record(TYPES.ABORT_REQUEST, id, content))
  }

  /** A whole request without a body. */
  get(id: number, changes?: Record<string, string>, options?: BeginOptions): this {
    return this.write(get(id, changes, options))
  }

  /** A POST request up to the end of its PARAMS. */
  post(id: number, changes: Record<string, string> = {}, options?: BeginOptions): this {
    return this.write(begin(id, options), params(id, { ...POST, ...changes }))
  }

  /** Waits until `done` returns a value other than `undefined` and `false`, and returns it. Rejects if the connection ends first. */
  async until<T>(done: () => T | undefined | false, what = 'the awaited records'): Promise<T> {
    for (;;) {
      const result = done()
      if (result !== undefined && result !== false) return result
      if (this.ended || this.closed) {
        throw new Error(`The connection ended before ${what} arrived (${this.error ?? 'cleanly'}).`)
      }
      await this.#change()
    }
  }

  /** Waits for the END_REQUEST of a request, and returns its response. */
  async response(id: number): Promise<PeerResponse> {
    const end = await this.until(
      () => this.records.find((r) => r.type === TYPES.END_REQUEST && r.id === id),
      `END_REQUEST ${id}`,
    )
    return {
      stdout: this.text(TYPES.STDOUT, id),
      stderr: this.text(TYPES.STDERR, id),
      appStatus: end.content.readUInt32BE(0),
      protocolStatus: end.content[4]!,
    }
  }

  /** Waits for one more record of this type and id, and returns it. */
  async next(type: number, id: number): Promise<WireRecord> {
    const before = this.records.length
    return this.until(
      () => this.records.slice(before).find((r) => r.type === type && r.id === id),
      `a record of type ${type}`,
    )
  }

  /** Waits until the STDOUT content received so far ends with `end`. */
  async stdout(id: number, end: string): Promise<void> {
    await this.until(() => this.text(TYPES.STDOUT, id).endsWith(end), JSON.stringify(end))
  }

  /** The records received so far with this id. */
  recordsOf(id: number): WireRecord[] {
    return this.records.filter((r) => r.id === id)
  }

  /** The content of one stream received so far, as latin1. */
  text(type: number, id: number): string {
    return this.content(type, id).toString('latin1')
  }

  /** The content of one stream received so far. */
  content(type: number, id: number): Buffer {
    return Buffer.concat(this.records.filter((r) => r.type === type && r.id === id).map((r) => r.content))
  }

  /** Discards the records received so far, so that an id can be reused. */
  forget(): this {
    this.records.length = 0
    return this
  }

  /** Discards the records received so far, and returns their number. */
  discardRecords(): number {
    return this.records.splice(0).length
  }

  /** Waits until the socket's write buffer has drained. */
  async flushed(): Promise<void> {
    if (this.socket.writableNeedDrain) await once(this.socket, 'drain')
  }

  /** Waits until the server has stopped reading, or has read everything. */
  async paused(): Promise<void> {
    const { socket } = this
    let before = -1
    // The server has stopped if nothing was read for three intervals. A packet takes less than one on loopback.
    for (let unchanged = 0; socket.writableLength > 0 && unchanged < 3; ) {
      unchanged = socket.writableLength === before ? unchanged + 1 : 0
      before = socket.writableLength
      await setTimeout(20)
    }
  }

  /** Closes the write side, and continues to read. */
  halfClose(): this {
    this.socket.end()
    return this
  }

  /** Waits for the end of the server's stream. */
  async end(): Promise<void> {
    while (!this.ended && !this.closed) await this.#change()
  }

  /** Waits until the connection is closed. */
  async close(): Promise<void> {
    while (!this.closed) await this.#change()
  }

  /** Closes the connection without an ABORT_REQUEST, as nginx does when its client has disconnected. */
  destroy(): void {
    this.socket.destroy()
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
