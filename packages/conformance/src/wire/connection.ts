import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setImmediate, setTimeout as wait } from 'node:timers/promises'
import { NotApplicable, Unmet } from '../verdict.ts'
import { type Bytes, bytes, STATUSES, TYPES } from './bytes.ts'
import { nameOf, RecordLog } from './record-log.ts'
import { RecordReader, type WireRecord } from './record-reader.ts'
import { type CgiResponse, quote, readHead } from './response.ts'

/** The address of a server, for `net.connect`. */
export type Address = { readonly path: string } | { readonly host: string; readonly port: number }

/** The front server's end of a connection. Each wait throws an `Unmet` after `timeout` milliseconds. */
export class Connection {
  /** The received records, in order. */
  readonly records: WireRecord[] = []
  readonly #socket: Socket
  readonly #timeout: number
  readonly #sent = new RecordLog()
  readonly #received = new RecordLog()
  readonly #reader = new RecordReader((record) => this.records.push(record))
  #waiting: (() => void)[] = []
  #ended = false
  #error: NodeJS.ErrnoException | undefined

  private constructor(socket: Socket, timeout: number) {
    this.#socket = socket
    this.#timeout = timeout
    socket.on('data', (chunk: Buffer) => {
      this.#received.push(chunk)
      this.#reader.push(chunk)
      this.#wake()
    })
    socket.on('error', (error) => {
      this.#error = error
    })
    for (const event of ['end', 'close']) {
      socket.on(event, () => {
        this.#ended = true
        this.#wake()
      })
    }
  }

  /** Connects. The connection is half-open: it stays open for writing when the server ends its side. */
  static async open(address: Address, timeout: number): Promise<Connection> {
    const socket = connect({ ...address, allowHalfOpen: true, noDelay: true })
    try {
      await once(socket, 'connect', { signal: AbortSignal.timeout(timeout) })
    } catch (error) {
      socket.on('error', () => {}).destroy()
      const { code, name } = error as NodeJS.ErrnoException
      throw new Unmet('a connection', name === 'AbortError' ? 'a time-out' : (code ?? name))
    }
    return new Connection(socket, timeout)
  }

  /** Whether the server has ended its side of the connection. */
  get ended(): boolean {
    return this.#ended
  }

  /** Sends bytes in one write. */
  write(...parts: Bytes[]): this {
    const all = bytes(...parts)
    this.#sent.push(all)
    if (this.#socket.writable) this.#socket.write(all)
    return this
  }

  /** Sends each part in its own write, followed by a pause in which the server can read it. */
  async writeSeparately(...parts: Bytes[]): Promise<void> {
    for (const part of parts) {
      this.write(part)
      await wait(1)
    }
  }

  /** Sends each byte in its own write. */
  async writeByteByByte(all: Buffer): Promise<void> {
    for (const byte of all) {
      this.write([byte])
      await setImmediate()
    }
  }

  /** Sends bytes, and waits until the operating system has accepted them. Throws `Unmet` if the server stops reading. */
  async writeAndFlush(...parts: Bytes[]): Promise<void> {
    const all = bytes(...parts)
    this.#sent.push(all)
    let flushed = !this.#socket.writable
    if (!flushed) {
      this.#socket.write(all, () => {
        flushed = true
        this.#wake()
      })
    }
    await this.#wait(() => flushed || this.#ended, 'the server to continue reading')
  }

  /** Ends this side of the connection, and continues to read. */
  halfClose(): this {
    this.#socket.end()
    return this
  }

  /** Stops reading until {@link resume}. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Closes the connection at once. */
  destroy(): void {
    this.#socket.destroy()
  }

  /** Waits until `find` returns a value. Throws `Unmet` if the connection ends first. */
  async until<T>(find: () => T | undefined | false, expected: string): Promise<T> {
    let found: T | undefined | false
    await this.#wait(() => {
      found = find()
      return (found !== undefined && found !== false) || this.#ended
    }, expected)
    if (found === undefined || found === false) throw this.unmet(expected)
    return found
  }

  /** Waits for END_REQUEST, and returns the response. */
  async response(id: number): Promise<CgiResponse> {
    const end = await this.until(
      () => this.recordsOf(TYPES.END_REQUEST, id)[0],
      `a response to request ${id}, up to its END_REQUEST`,
    )
    if (end.content.length !== 8) throw this.unmet('8 bytes in END_REQUEST', `${end.content.length}`)
    const stdout = this.text(TYPES.STDOUT, id)
    return {
      stdout,
      stderr: this.text(TYPES.STDERR, id),
      ...readHead(stdout),
      appStatus: end.content.readUInt32BE(0),
      protocolStatus: end.content[4]!,
    }
  }

  /**
   * Waits for the response, and returns it. Throws `Unmet` unless it is complete, with the status 200 and with `body` if that is
   * given. Throws `NotApplicable` for a 501: the app does not support the route.
   */
  async expectOk(id: number, body?: string): Promise<CgiResponse> {
    const response = await this.response(id)
    const { status, protocolStatus, stdout } = response
    if (status === 501) throw new NotApplicable('the app responds with 501: it does not support this route')
    if (status !== 200 || protocolStatus !== STATUSES.REQUEST_COMPLETE) {
      throw this.unmet(
        `the status 200 and REQUEST_COMPLETE for request ${id}`,
        `${nameOf(STATUSES, protocolStatus)}, and STDOUT ${quote(stdout)}`,
      )
    }
    if (body !== undefined && response.body !== body) {
      throw this.unmet(`the body ${quote(body)} for request ${id}`, quote(response.body))
    }
    return response
  }

  /** Waits until the server has ended its side of the connection. */
  async expectClosed(expected = 'the server to close the connection'): Promise<void> {
    await this.#wait(() => this.#ended, expected)
  }

  /** Waits until the server has ended its side of the connection, `ms` milliseconds at most. Does not throw. */
  async waitForEnd(ms: number): Promise<void> {
    await this.#becomesTrue(() => this.#ended, ms)
  }

  /** Throws `Unmet` if the server has reset the connection. */
  expectNoReset(): void {
    if (this.#error) throw this.unmet('no reset of the connection', this.#error.code ?? this.#error.message)
  }

  /** The received records of one type for one request. */
  recordsOf(type: number, id: number): WireRecord[] {
    return this.records.filter((record) => record.type === type && record.id === id)
  }

  /** The received content of a stream, one character per byte. */
  text(type: number, id: number): string {
    return Buffer.concat(this.recordsOf(type, id).map(({ content }) => content)).toString('latin1')
  }

  /** Removes all received records, so that an id can be used again. */
  clear(): this {
    this.records.length = 0
    return this
  }

  /** Creates the error of a failed check. Default of `saw`: a description of all received records. */
  unmet(expected: string, saw?: string): Unmet {
    return new Unmet(expected, saw ?? this.#describe(), String(this.#sent))
  }

  async #wait(done: () => boolean, expected: string): Promise<void> {
    if (await this.#becomesTrue(done, this.#timeout)) return
    throw this.unmet(expected, `${this.#describe()}; then nothing within ${this.#timeout / 1000} s`)
  }

  async #becomesTrue(done: () => boolean, ms: number): Promise<boolean> {
    let timedOut = false
    const timer = setTimeout(() => {
      timedOut = true
      this.#wake()
    }, ms)
    while (!done() && !timedOut) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    clearTimeout(timer)
    return done()
  }

  #describe(): string {
    const end = this.#error
      ? `; then ${this.#error.code}`
      : this.#ended
        ? '; then the end of the connection'
        : ''
    return `${this.#received}${end}`
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
