import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pairs, readPairs } from './name-values.ts'
import { RecordReader, type WireRecord } from './record-reader.ts'
import { alignedRecords, endRequest, KEEP_CONN, record, TYPES } from './records.ts'

/** Where a {@link Responder} listens. */
export type ResponderAddress = { host: string; port: number } | { path: string }

/** One request as a FastCGI application receives it, with methods that send its response. Each record is one write. */
export class ResponderRequest {
  readonly socket: Socket
  readonly requestId: number
  readonly keepConn: boolean
  readonly paramsBlock: Buffer[] = []
  readonly stdinChunks: Buffer[] = []
  readonly stdinEnded: Promise<void>
  readonly aborted: Promise<void>
  #resolveStdinEnded!: () => void
  #resolveAborted!: () => void

  constructor(socket: Socket, requestId: number, flags: number) {
    this.socket = socket
    this.requestId = requestId
    this.keepConn = (flags & KEEP_CONN) !== 0
    this.stdinEnded = new Promise((resolve) => {
      this.#resolveStdinEnded = resolve
    })
    this.aborted = new Promise((resolve) => {
      this.#resolveAborted = resolve
    })
  }

  get params(): Record<string, string> {
    return Object.fromEntries(readPairs(Buffer.concat(this.paramsBlock)))
  }

  /** Waits for the end of STDIN, and returns its content. */
  async body(): Promise<Buffer> {
    await this.stdinEnded
    return Buffer.concat(this.stdinChunks)
  }

  stdout(text: string | Uint8Array): boolean {
    return this.#send(TYPES.STDOUT, text)
  }

  stderr(text: string | Uint8Array): boolean {
    return this.#send(TYPES.STDERR, text)
  }

  end(appStatus = 0, protocolStatus = 0): void {
    this.socket.write(endRequest(this.requestId, appStatus, protocolStatus))
    if (!this.keepConn) this.socket.end()
  }

  /** Sends a whole response in one write. `text` is the head and the body. */
  respond(text: string | Uint8Array): void {
    this.socket.cork()
    this.stdout(text)
    this.socket.write(record(TYPES.STDOUT, this.requestId))
    this.end()
    this.socket.uncork()
  }

  /** Called by the responder with each PARAMS, STDIN and ABORT_REQUEST record of the request. */
  onRecord({ type, content }: WireRecord): void {
    if (type === TYPES.ABORT_REQUEST) this.#resolveAborted()
    else if (type === TYPES.PARAMS) this.paramsBlock.push(content)
    else if (content.length > 0) this.stdinChunks.push(content)
    else this.#resolveStdinEnded()
  }

  #send(type: number, text: string | Uint8Array): boolean {
    let writable = true
    for (const one of alignedRecords(type, this.requestId, text)) writable = this.socket.write(one)
    return writable
  }
}

/** A FastCGI application over real sockets. The test chooses each record that it sends. */
export class Responder {
  readonly address: ResponderAddress
  /** All sockets accepted, in order. */
  readonly sockets: Socket[] = []
  /** All chunks read, in order. */
  readonly reads: Buffer[] = []
  readonly #server: Server

  private constructor(server: Server, address: ResponderAddress) {
    this.#server = server
    this.address = address
  }

  /**
   * Starts a responder. It calls `handler` when the params of a request are complete. `values` is the reply to FCGI_GET_VALUES. Without
   * it, that record is ignored.
   */
  static async listen(
    handler: (request: ResponderRequest) => void,
    kind: 'tcp' | 'unix' = 'tcp',
    values?: Record<string, string>,
  ): Promise<Responder> {
    const server = createServer()
    const path = join(tmpdir(), `fcgi-${randomUUID()}.sock`)
    if (kind === 'unix') server.listen(path)
    else server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const bound = server.address()
    const address =
      bound !== null && typeof bound === 'object' ? { host: '127.0.0.1', port: bound.port } : { path }
    const responder = new Responder(server, address)
    server.on('connection', (socket) => responder.#accept(socket, handler, values))
    return responder
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(
    socket: Socket,
    handler: (request: ResponderRequest) => void,
    values: Record<string, string> | undefined,
  ): void {
    this.sockets.push(socket)
    const requests = new Map<number, ResponderRequest>()
    const reader = new RecordReader((received) => {
      const { type, id, content } = received
      if (type === TYPES.BEGIN_REQUEST) {
        requests.set(id, new ResponderRequest(socket, id, content[2]!))
      } else if (type === TYPES.GET_VALUES) {
        if (values !== undefined) {
          socket.write(record(TYPES.GET_VALUES_RESULT, 0, pairs(Object.entries(values))))
        }
      } else {
        const request = requests.get(id)
        request?.onRecord(received)
        if (request !== undefined && type === TYPES.PARAMS && content.length === 0) handler(request)
      }
    })
    socket.on('data', (chunk) => {
      this.reads.push(chunk)
      reader.push(chunk)
    })
    // In some tests the client resets the connection.
    socket.on('error', () => {})
  }
}
