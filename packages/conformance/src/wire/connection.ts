import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setImmediate, setTimeout as wait } from 'node:timers/promises'
import { NotApplicable, Unmet } from '../verdict.ts'
import { type Answer, quote, readHead } from './answer.ts'
import { type Bytes, bytes, STATUSES, TYPES } from './bytes.ts'
import { nameOf, RecordLog } from './record-log.ts'
import { RecordReader, type WireRecord } from './record-reader.ts'

/** Where a server listens, as `net.connect` takes it. */
export type Address = { readonly path: string } | { readonly host: string; readonly port: number }

/** The front server's end of one connection. Each wait ends after `timeout` milliseconds, as an `Unmet`. */
export class Connection {
  /** What has come, in order. */
  readonly records: WireRecord[] = []
  readonly #socket: Socket
  readonly #timeout: number
  readonly #sent = new RecordLog()
  readonly #seen = new RecordLog()
  readonly #reader = new RecordReader((record) => this.records.push(record))
  #waiting: (() => void)[] = []
  #ended = false
  #error: NodeJS.ErrnoException | undefined

  private constructor(socket: Socket, timeout: number) {
    this.#socket = socket
    this.#timeout = timeout
    socket.on('data', (chunk: Buffer) => {
      this.#seen.push(chunk)
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

  /** Connects; half-open, so that either side may end first. */
  static async open(address: Address, timeout: number): Promise<Connection> {
    const socket = connect({ ...address, allowHalfOpen: true, noDelay: true })
    try {
      await once(socket, 'connect', { signal: AbortSignal.timeout(timeout) })
    } catch (error) {
      socket.on('error', () => {}).destroy()
      const { code, name } = error as NodeJS.ErrnoException
      throw new Unmet('a connection', name === 'AbortError' ? 'no answer to the attempt' : (code ?? name))
    }
    return new Connection(socket, timeout)
  }

  /** The server has ended the connection. */
  get ended(): boolean {
    return this.#ended
  }

  /** Sends bytes as they are, in one write. */
  write(...parts: Bytes[]): this {
    const all = bytes(...parts)
    this.#sent.push(all)
    if (this.#socket.writable) this.#socket.write(all)
    return this
  }

  /** Sends each part in a write of its own, with a pause in which the server can read it. */
  async writeApart(...parts: Bytes[]): Promise<void> {
    for (const part of parts) {
      this.write(part)
      await wait(1)
    }
  }

  /** Sends each byte in a write of its own. */
  async writeByteByByte(all: Buffer): Promise<void> {
    for (const byte of all) {
      this.write([byte])
      await setImmediate()
    }
  }

  /** Sends bytes, and waits until they are with the operating system: fails when the server stops to read them. */
  async writeWhole(...parts: Bytes[]): Promise<void> {
    const all = bytes(...parts)
    this.#sent.push(all)
    let flushed = !this.#socket.writable
    if (!flushed) {
      this.#socket.write(all, () => {
        flushed = true
        this.#wake()
      })
    }
    await this.#wait(() => flushed || this.#ended, 'the server to read on')
  }

  /** Ends the stream, and goes on reading. */
  halfClose(): this {
    this.#socket.end()
    return this
  }

  /** Reads nothing until {@link resume}. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Goes away without a word. */
  destroy(): void {
    this.#socket.destroy()
  }

  /** Waits until `find` gives something; fails when the connection ends first. */
  async until<T>(find: () => T | undefined | false, expected: string): Promise<T> {
    let found: T | undefined | false
    await this.#wait(() => {
      found = find()
      return (found !== undefined && found !== false) || this.#ended
    }, expected)
    if (found === undefined || found === false) throw this.unmet(expected)
    return found
  }

  /** The answer to a request, once its END_REQUEST is here. */
  async answer(id: number): Promise<Answer> {
    const end = await this.until(
      () => this.recordsOf(TYPES.END_REQUEST, id)[0],
      `an answer to request ${id}, up to its END_REQUEST`,
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
   * The answer to a request that the app serves. Fails unless it is complete, and a 200. An app that answers 501 does not
   * have what the route needs: `NotApplicable`.
   */
  async served(id: number, body?: string): Promise<Answer> {
    const answer = await this.answer(id)
    const { status, protocolStatus, stdout } = answer
    if (status === 501) throw new NotApplicable('the app answers 501: it can not do what this asks for')
    if (status !== 200 || protocolStatus !== STATUSES.REQUEST_COMPLETE) {
      throw this.unmet(
        `200 and REQUEST_COMPLETE for request ${id}`,
        `${nameOf(STATUSES, protocolStatus)}, and on STDOUT ${quote(stdout)}`,
      )
    }
    if (body !== undefined && answer.body !== body) {
      throw this.unmet(`the body ${quote(body)} for request ${id}`, quote(answer.body))
    }
    return answer
  }

  /** Waits for the end of the server's stream. */
  async closed(expected = 'the server to close the connection'): Promise<void> {
    await this.#wait(() => this.#ended, expected)
  }

  /** Waits for the end of the server's stream, `ms` milliseconds at most. */
  async restOrEnd(ms: number): Promise<void> {
    await this.#happens(() => this.#ended, ms)
  }

  /** Fails where the server reset the connection. */
  expectNoReset(): void {
    if (this.#error) throw this.unmet('no reset of the connection', this.#error.code ?? this.#error.message)
  }

  /** What has come of one type for one request. */
  recordsOf(type: number, id: number): WireRecord[] {
    return this.records.filter((record) => record.type === type && record.id === id)
  }

  /** The content of one stream so far, one character a byte. */
  text(type: number, id: number): string {
    return Buffer.concat(this.recordsOf(type, id).map(({ content }) => content)).toString('latin1')
  }

  /** Forgets what has come: the same id may be used again. */
  forget(): this {
    this.records.length = 0
    return this
  }

  /** What a check throws; what was seen is all that came, unless it is said. */
  unmet(expected: string, saw?: string): Unmet {
    return new Unmet(expected, saw ?? this.#describe(), String(this.#sent))
  }

  async #wait(done: () => boolean, expected: string): Promise<void> {
    if (await this.#happens(done, this.#timeout)) return
    throw this.unmet(expected, `${this.#describe()}; then nothing for ${this.#timeout / 1000} s`)
  }

  async #happens(done: () => boolean, ms: number): Promise<boolean> {
    let over = false
    const timer = setTimeout(() => {
      over = true
      this.#wake()
    }, ms)
    while (!done() && !over) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    clearTimeout(timer)
    return done()
  }

  #describe(): string {
    const end = this.#error
      ? `; then ${this.#error.code}`
      : this.#ended
        ? '; then the end of the connection'
        : ''
    return `${this.#seen}${end}`
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
