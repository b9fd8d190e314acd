import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  decodeNameValues,
  encodeEndRequest,
  encodeNameValues,
  encodeRecord,
  FCGI_ABORT_REQUEST,
  FCGI_BEGIN_REQUEST,
  FCGI_GET_VALUES,
  FCGI_GET_VALUES_RESULT,
  FCGI_KEEP_CONN,
  FCGI_NULL_REQUEST_ID,
  FCGI_PARAMS,
  FCGI_STDERR,
  FCGI_STDOUT,
  RECORD_CONTENT_MAX,
  RecordDecoder,
  type RecordSink,
} from '@fcgi-bridge/core'
import type { SocketAddress } from '../address.ts'

/** One request as the application under test has it: what came, and the records to answer with, one call a write. */
export class ResponderRequest {
  readonly socket: Socket
  readonly requestId: number
  readonly keepConn: boolean
  readonly paramsBlock: Buffer[] = []
  readonly stdinChunks: Buffer[] = []
  readonly stdinEnded: Promise<void>
  readonly aborted: Promise<void>
  #tellStdinEnded!: () => void
  #tellAborted!: () => void

  constructor(socket: Socket, requestId: number, flags: number) {
    this.socket = socket
    this.requestId = requestId
    this.keepConn = (flags & FCGI_KEEP_CONN) !== 0
    this.stdinEnded = new Promise((resolve) => {
      this.#tellStdinEnded = resolve
    })
    this.aborted = new Promise((resolve) => {
      this.#tellAborted = resolve
    })
  }

  get params(): Record<string, string> {
    return Object.fromEntries(decodeNameValues(Buffer.concat(this.paramsBlock)))
  }

  /** The whole of STDIN. */
  async body(): Promise<Buffer> {
    await this.stdinEnded
    return Buffer.concat(this.stdinChunks)
  }

  stdout(text: string | Uint8Array): boolean {
    return this.#send(FCGI_STDOUT, text)
  }

  stderr(text: string | Uint8Array): boolean {
    return this.#send(FCGI_STDERR, text)
  }

  end(appStatus = 0, protocolStatus = 0): void {
    this.socket.write(encodeEndRequest(this.requestId, appStatus, protocolStatus))
    if (!this.keepConn) this.socket.end()
  }

  /** A whole answer in one write: `text` is head and body. */
  respond(text: string | Uint8Array): void {
    this.socket.cork()
    this.stdout(text)
    this.socket.write(encodeRecord(FCGI_STDOUT, this.requestId, Buffer.alloc(0)))
    this.end()
    this.socket.uncork()
  }

  /** For the responder: what the client has sent. */
  onRecord(type: number, content: Buffer): void {
    if (type === FCGI_ABORT_REQUEST) this.#tellAborted()
    else if (type === FCGI_PARAMS) this.paramsBlock.push(content)
    else if (content.length > 0) this.stdinChunks.push(content)
    else this.#tellStdinEnded()
  }

  #send(type: number, text: string | Uint8Array): boolean {
    const bytes = typeof text === 'string' ? Buffer.from(text, 'latin1') : text
    let writable = true
    for (let at = 0; at < bytes.length; at += RECORD_CONTENT_MAX) {
      const content = bytes.subarray(at, at + RECORD_CONTENT_MAX)
      writable = this.socket.write(encodeRecord(type, this.requestId, content))
    }
    return writable
  }
}

/** A FastCGI responder over real sockets whose every record the test decides. */
export class Responder {
  readonly address: SocketAddress
  /** Every socket that was ever accepted. */
  readonly sockets: Socket[] = []
  /** Every chunk that was read, in order. */
  readonly reads: Buffer[] = []
  readonly #server: Server

  private constructor(server: Server, address: SocketAddress) {
    this.#server = server
    this.address = address
  }

  /**
   * `handler` is called when a request's params are complete, or when it is aborted before. `values` are the
   * answer to FCGI_GET_VALUES; without them there is none.
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
    const sink: RecordSink = {
      onStream(type, requestId, chunk, start, end) {
        const request = requests.get(requestId)
        request?.onRecord(type, chunk.subarray(start, end))
        if (request !== undefined && type === FCGI_PARAMS && start === end) handler(request)
      },
      onDiscrete(type, requestId, chunk, start) {
        if (type === FCGI_BEGIN_REQUEST) {
          requests.set(requestId, new ResponderRequest(socket, requestId, chunk[start + 2]!))
        } else if (type === FCGI_ABORT_REQUEST) {
          requests.get(requestId)?.onRecord(type, Buffer.alloc(0))
        } else if (type === FCGI_GET_VALUES && values !== undefined) {
          const pairs = encodeNameValues(Object.entries(values))
          socket.write(encodeRecord(FCGI_GET_VALUES_RESULT, FCGI_NULL_REQUEST_ID, pairs))
        }
      },
    }
    const decoder = new RecordDecoder(sink)
    socket.on('data', (chunk) => {
      this.reads.push(chunk)
      decoder.push(chunk)
    })
    // A client that gives up resets the connection: that is what some tests are about.
    socket.on('error', () => {})
  }
}
