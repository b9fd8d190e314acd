import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'

// A front server made of bytes alone. It shares no line with the code under test: what it writes and how it
// reads comes from the FastCGI 1.0 specification.

export interface WireRecord {
  type: number
  id: number
  content: Buffer
  padding: Buffer
}

/** A record, byte by byte (section 3.3). */
export function record(
  type: number,
  id: number,
  content: Uint8Array | string = '',
  paddingLength = 0,
): Buffer {
  const bytes = Buffer.from(content as string)
  const header = Buffer.from([
    1,
    type,
    id >> 8,
    id & 255,
    bytes.length >> 8,
    bytes.length & 255,
    paddingLength,
    0,
  ])
  return Buffer.concat([header, bytes, Buffer.alloc(paddingLength)])
}

/** Name-value pairs (section 3.4), each length in its shortest form. */
export function pairs(params: Record<string, string> | readonly (readonly [string, string])[]): Buffer {
  const length = (n: number): number[] =>
    n < 128 ? [n] : [(n >>> 24) | 128, (n >>> 16) & 255, (n >>> 8) & 255, n & 255]
  const list = Array.isArray(params) ? params : Object.entries(params)
  return Buffer.concat(
    list.flatMap(([name, value]: readonly [string, string]) => [
      Buffer.from([...length(name.length), ...length(value.length)]),
      Buffer.from(name, 'latin1'),
      Buffer.from(value, 'latin1'),
    ]),
  )
}

export const GET: Record<string, string> = {
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

export interface BeginOptions {
  role?: number
  keepConn?: boolean
  flags?: number
}

export interface Answer {
  stdout: string
  stderr: string
  appStatus: number
  protocolStatus: number
}

/** The front server's end of one connection. */
export class Peer {
  readonly socket: Duplex
  readonly records: WireRecord[] = []
  #rest: Buffer = Buffer.alloc(0)
  #waiting: (() => void)[] = []
  /** The server ended the stream. */
  ended = false
  /** The connection is gone; with the error that ended it, if one did. */
  closed = false
  error: Error | undefined

  constructor(socket: Duplex) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#rest = Buffer.concat([this.#rest, chunk])
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

  static async connect(address: { port: number } | { path: string }): Promise<Peer> {
    const socket: Socket = connect({ ...address, allowHalfOpen: true } as never)
    await once(socket, 'connect')
    return new Peer(socket)
  }

  write(...bytes: Uint8Array[]): this {
    this.socket.write(Buffer.concat(bytes))
    return this
  }

  begin(id: number, { role = 1, keepConn = false, flags = keepConn ? 1 : 0 }: BeginOptions = {}): this {
    return this.write(record(1, id, Uint8Array.of(role >> 8, role & 255, flags, 0, 0, 0, 0, 0)))
  }

  params(id: number, params: Parameters<typeof pairs>[0] = GET): this {
    return this.write(record(4, id, pairs(params)), record(4, id))
  }

  stdin(id: number, content: Uint8Array | string): this {
    const bytes = Buffer.from(content as string)
    for (let at = 0; at < bytes.length; at += 65535) this.write(record(5, id, bytes.subarray(at, at + 65535)))
    return this
  }

  endStdin(id: number): this {
    return this.write(record(5, id))
  }

  abort(id: number, content: string = ''): this {
    return this.write(record(2, id, content))
  }

  /** A whole request without a body. */
  get(id: number, params: Record<string, string> = {}, options?: BeginOptions): this {
    return this.begin(id, options)
      .params(id, { ...GET, ...params })
      .endStdin(id)
  }

  /** Waits until `done` gives something; fails when the connection ends first. */
  async until<T>(done: () => T | undefined | false, what = 'what the test waits for'): Promise<T> {
    for (;;) {
      const result = done()
      if (result !== undefined && result !== false) return result
      if (this.closed)
        throw new Error(`The connection closed before ${what} came (${this.error ?? 'cleanly'}).`)
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  /** The answer to a request, once its END_REQUEST is here. */
  async answer(id: number): Promise<Answer> {
    const end = await this.until(
      () => this.records.find((r) => r.type === 3 && r.id === id),
      `END_REQUEST ${id}`,
    )
    return {
      stdout: this.text(6, id),
      stderr: this.text(7, id),
      appStatus: end.content.readUInt32BE(0),
      protocolStatus: end.content[4]!,
    }
  }

  /** The content of one stream so far, as latin1. */
  text(type: number, id: number): string {
    return Buffer.concat(
      this.records.filter((r) => r.type === type && r.id === id).map((r) => r.content),
    ).toString('latin1')
  }

  /** Forgets what has been read: the same id may be used again. */
  forget(): void {
    this.records.length = 0
  }

  async end(): Promise<void> {
    while (!this.ended && !this.closed) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  async close(): Promise<void> {
    while (!this.closed) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  destroy(): void {
    this.socket.destroy()
  }

  #readRecords(): void {
    while (this.#rest.length >= 8) {
      const contentLength = this.#rest.readUInt16BE(4)
      const paddingLength = this.#rest[6]!
      const length = 8 + contentLength + paddingLength
      if (this.#rest.length < length) return
      if (this.#rest[0] !== 1) throw new Error(`A record of version ${this.#rest[0]}`)
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
