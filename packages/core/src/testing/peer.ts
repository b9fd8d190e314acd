import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import { type Bytes, bytes, pairs, record, TYPES } from './bytes.ts'

// A front server made of bytes alone. It shares no line with the code under test: what it writes and how it
// reads comes from the FastCGI 1.0 specification.

/** A record as it came. */
export interface WireRecord {
  type: number
  id: number
  content: Buffer
  padding: Buffer
}

/** Params by name, or in order with repeats. */
export type ParamList = Readonly<Record<string, string>> | readonly (readonly [name: Bytes, value: Bytes])[]

/** The params of a plain GET. */
export const GET: Readonly<Record<string, string>> = {
  REQUEST_METHOD: 'GET',
  REQUEST_URI: '/',
  SCRIPT_NAME: '',
  PATH_INFO: '/',
  QUERY_STRING: '',
  SERVER_PROTOCOL: 'HTTP/1.1',
  SERVER_NAME: 'front.test',
  SERVER_PORT: '80',
  HTTP_HOST: 'front.test',
  REMOTE_ADDR: '192.0.2.7',
  REMOTE_PORT: '40000',
}

/** What of {@link GET} is another for a POST; its length is unknown unless given. */
export const POST: Readonly<Record<string, string>> = { ...GET, REQUEST_METHOD: 'POST' }

export interface BeginOptions {
  role?: number
  keepConn?: boolean
  flags?: number
}

/** What came for one request, up to its END_REQUEST. */
export interface Answer {
  stdout: string
  stderr: string
  appStatus: number
  protocolStatus: number
}

/** The bytes of a BEGIN_REQUEST (section 5.1). */
export function begin(
  id: number,
  { role = 1, keepConn = false, flags = keepConn ? 1 : 0 }: BeginOptions = {},
): Buffer {
  return record(TYPES.BEGIN_REQUEST, id, [role >> 8, role % 256, flags, 0, 0, 0, 0, 0])
}

/** The bytes of a whole PARAMS stream. */
export function params(id: number, list: ParamList = GET): Buffer {
  const all = pairs(Array.isArray(list) ? list : Object.entries(list))
  return bytes(stream(TYPES.PARAMS, id, all), record(TYPES.PARAMS, id))
}

/** The bytes of stream records that carry `content`, without the end of the stream. */
export function stream(type: number, id: number, content: Bytes): Buffer {
  const all = bytes(content)
  const records: Buffer[] = []
  for (let at = 0; at < all.length; at += 65535) records.push(record(type, id, all.subarray(at, at + 65535)))
  return Buffer.concat(records)
}

/** The bytes of a whole request without a body. */
export function get(id: number, changes: Record<string, string> = {}, options?: BeginOptions): Buffer {
  return bytes(begin(id, options), params(id, { ...GET, ...changes }), record(TYPES.STDIN, id))
}

/** The front server's end of one connection. */
export class Peer {
  readonly socket: Duplex
  readonly records: WireRecord[] = []
  #rest: Buffer = Buffer.alloc(0)
  #waiting: (() => void)[] = []
  /** Reads from the socket so far. */
  reads = 0
  /** What came is no record: the server shows that an answer is cut where it can not reset the connection. */
  cut = false
  /** The server ended the stream. */
  ended = false
  /** The connection is gone; with the error that ended it, if one did. */
  closed = false
  error: NodeJS.ErrnoException | undefined

  constructor(socket: Duplex) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.reads++
      this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
      this.#readRecords()
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

  /** Connects; half-open, so that either side may end first. */
  static async connect(
    address: { port: number; host?: string; localAddress?: string } | { path: string },
  ): Promise<Peer> {
    const socket: Socket = connect({ ...address, allowHalfOpen: true })
    // As all front servers do: else each small write waits for the one before.
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

  /** A POST up to the end of its PARAMS. */
  post(id: number, changes: Record<string, string> = {}, options?: BeginOptions): this {
    return this.write(begin(id, options), params(id, { ...POST, ...changes }))
  }

  /** Waits until `done` gives something; fails when the connection ends first. */
  async until<T>(done: () => T | undefined | false, what = 'what the test waits for'): Promise<T> {
    for (;;) {
      const result = done()
      if (result !== undefined && result !== false) return result
      if (this.ended || this.closed) {
        throw new Error(`The connection ended before ${what} came (${this.error ?? 'cleanly'}).`)
      }
      await this.#change()
    }
  }

  /** The answer to a request, once its END_REQUEST is here. */
  async answer(id: number): Promise<Answer> {
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

  /** Waits for one more record of this type and id, and gives it. */
  async next(type: number, id: number): Promise<WireRecord> {
    const seen = this.records.length
    return this.until(
      () => this.records.slice(seen).find((r) => r.type === type && r.id === id),
      `a record of type ${type}`,
    )
  }

  /** Waits until the content of STDOUT so far ends so. */
  async stdout(id: number, end: string): Promise<void> {
    await this.until(() => this.text(TYPES.STDOUT, id).endsWith(end), JSON.stringify(end))
  }

  /** The records of one request, or of id 0, so far. */
  recordsOf(id: number): WireRecord[] {
    return this.records.filter((r) => r.id === id)
  }

  /** The content of one stream so far, as latin1. */
  text(type: number, id: number): string {
    return this.content(type, id).toString('latin1')
  }

  /** The content of one stream so far. */
  content(type: number, id: number): Buffer {
    return Buffer.concat(this.records.filter((r) => r.type === type && r.id === id).map((r) => r.content))
  }

  /** Forgets what has been read: the same id may be used again. */
  forget(): this {
    this.records.length = 0
    return this
  }

  /** Forgets what has been read, and tells how many records that was. */
  forgetting(): number {
    return this.records.splice(0).length
  }

  /** Waits until what was written is with the operating system. */
  async flushed(): Promise<void> {
    if (this.socket.writableNeedDrain) await once(this.socket, 'drain')
  }

  /** Waits until the server has stopped to take what was written, or has taken all of it. */
  async paused(): Promise<void> {
    const { socket } = this
    let before = -1
    // Two turns of the event loop without progress, each longer than a packet takes on this machine.
    for (let still = 0; socket.writableLength > 0 && still < 3; ) {
      still = socket.writableLength === before ? still + 1 : 0
      before = socket.writableLength
      await setTimeout(20)
    }
  }

  /** Ends the stream, and goes on reading. */
  halfClose(): this {
    this.socket.end()
    return this
  }

  /** Waits for the end of the server's stream. */
  async end(): Promise<void> {
    while (!this.ended && !this.closed) await this.#change()
  }

  /** Waits until the connection is gone. */
  async close(): Promise<void> {
    while (!this.closed) await this.#change()
  }

  /** Goes away without a word, as nginx does when its client is gone. */
  destroy(): void {
    this.socket.destroy()
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #readRecords(): void {
    while (this.#rest.length >= 8 && !this.cut) {
      if (this.#rest[0] !== 1) {
        this.cut = true
        return
      }
      const contentLength = this.#rest.readUInt16BE(4)
      const paddingLength = this.#rest[6]!
      const length = 8 + contentLength + paddingLength
      if (this.#rest.length < length) return
      this.records.push({
        type: this.#rest[1]!,
        id: this.#rest.readUInt16BE(2),
        content: this.#rest.subarray(8, 8 + contentLength),
        padding: this.#rest.subarray(8 + contentLength, length),
      })
      this.#rest = this.#rest.subarray(length)
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
