import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import {
  createServer,
  type FastCgiServer,
  type Handler,
  type Handlers,
  type Role,
  type ServerOptions,
} from '@fcgi-bridge/core'
import { alignedRecords, begin, params, RecordReader, ROLES, record, TYPES } from '@fcgi-bridge/testing'
import { onTestFinished } from 'vitest'

/** Starts a server on a free port. It is closed when the test ends. */
export async function listen(handler: Handler | Handlers, options?: ServerOptions): Promise<FastCgiServer> {
  const server = createServer(handler, { drainTimeout: 0, ...options })
  await server.listen({ port: 0, host: '127.0.0.1' })
  onTestFinished(() => server.close())
  return server
}

/** A request to send. */
export interface FrontRequestInit {
  method?: string
  /** REQUEST_URI; default `/`. */
  target?: string
  /** Sent as HTTP_* params, or as CONTENT_TYPE and CONTENT_LENGTH. */
  headers?: Record<string, string>
  /** Sent at once, with its CONTENT_LENGTH. For a body in pieces, use `open`, `send` and `endBody` instead. */
  body?: Uint8Array | string
  /** Leaves STDIN open for `send` and `endBody`. */
  open?: boolean
  params?: Record<string, string>
  role?: Role
}

/** A whole response. */
export interface FrontResponse extends Head {
  bytes: Buffer
  text: string
  stderr: string
  appStatus: number
  protocolStatus: number
}

/** The head of a response. */
export interface Head {
  status: number
  reason: string
  /** The header lines as received. */
  lines: string[]
  /** The headers, repeats kept, names in lower case. */
  headers: [name: string, value: string][]
  header(name: string): string | undefined
}

/** The front server's end of one FastCGI connection. */
export class Front {
  readonly #socket: Socket
  readonly #requests = new Map<number, FrontRequest>()
  #lastId = 0
  /** How many chunks were read from the socket so far. */
  reads = 0

  constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    const reader = new RecordReader(({ type, id, content }) => {
      if (type === TYPES.END_REQUEST) {
        this.#requests.get(id)?.receiveEnd(content.readUInt32BE(0), content[4]!)
        this.#requests.delete(id)
      } else {
        this.#requests.get(id)?.receive(type, content)
      }
    })
    socket.on('data', (chunk) => {
      this.reads++
      reader.push(chunk)
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      for (const request of this.#requests.values()) request.receiveCut()
    })
    onTestFinished(() => {
      socket.destroy()
    })
  }

  static async connect(server: FastCgiServer): Promise<Front> {
    const address = server.address()
    const socket =
      typeof address === 'string' ? connect(address) : connect({ host: '127.0.0.1', port: address!.port })
    await once(socket, 'connect')
    return new Front(socket)
  }

  /** Sends a request, with FCGI_KEEP_CONN. */
  request(init: FrontRequestInit = {}): FrontRequest {
    const requestId = ++this.#lastId
    const request = new FrontRequest(this.#socket, requestId)
    this.#requests.set(requestId, request)
    this.#socket.write(
      Buffer.concat([
        begin(requestId, { role: ROLES[init.role ?? 'responder'], keepConn: true }),
        params(requestId, paramsOf(init)),
      ]),
    )
    if (init.body !== undefined) request.send(init.body)
    if (!init.open) request.endBody()
    return request
  }

  /** Stops reading from the server. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Closes the connection without FCGI_ABORT_REQUEST, as nginx does when its client disconnects. */
  destroy(): void {
    this.#socket.destroy()
  }
}

/** One request on a {@link Front}. */
export class FrontRequest {
  readonly #socket: Socket
  readonly #requestId: number
  #stdout: Buffer[] = []
  #stderr: Buffer[] = []
  #end: { appStatus: number; protocolStatus: number } | undefined
  #cut = false
  #taken = 0
  #waiting: (() => void)[] = []
  /** The content of the STDOUT records as received. */
  readonly stdoutRecords: Buffer[] = []

  constructor(socket: Socket, requestId: number) {
    this.#socket = socket
    this.#requestId = requestId
  }

  /** Sends body bytes. Returns false if the socket's buffer is full: wait for `drained`. */
  send(body: Uint8Array | string): boolean {
    return this.#sendStream(TYPES.STDIN, body)
  }

  endBody(): void {
    this.#socket.write(record(TYPES.STDIN, this.#requestId))
  }

  /** Sends the whole of FCGI_DATA. */
  sendData(data: Uint8Array | string): void {
    this.#sendStream(TYPES.DATA, data)
    this.#socket.write(record(TYPES.DATA, this.#requestId))
  }

  abort(): void {
    this.#socket.write(record(TYPES.ABORT_REQUEST, this.#requestId))
  }

  async drained(): Promise<void> {
    if (this.#socket.writableNeedDrain) await once(this.#socket, 'drain')
  }

  /** Waits for the response head. */
  async head(): Promise<Head> {
    const end = await this.#until(() => {
      const at = Buffer.concat(this.#stdout).indexOf('\r\n\r\n')
      return at < 0 ? undefined : at
    })
    return parseHead(Buffer.concat(this.#stdout).toString('latin1', 0, end))
  }

  /** Waits for body bytes that no earlier call returned. */
  async chunk(): Promise<string> {
    await this.head()
    return await this.#until(() => {
      const body = this.#body()
      if (body.length === this.#taken) return undefined
      const chunk = body.toString('utf8', this.#taken)
      this.#taken = body.length
      return chunk
    })
  }

  /** Waits for the whole response. Rejects if it is cut off. */
  async response(): Promise<FrontResponse> {
    const end = await this.#until(() => this.#end)
    const bytes = this.#body()
    return {
      ...(await this.head()),
      bytes,
      text: bytes.toString(),
      stderr: Buffer.concat(this.#stderr).toString(),
      ...end,
    }
  }

  /** Waits for END_REQUEST. */
  async ended(): Promise<void> {
    await this.#until(() => this.#end)
  }

  /** Resolves when the connection closes before END_REQUEST. Rejects at END_REQUEST. */
  async cut(): Promise<{ text: string }> {
    while (!this.#cut) {
      if (this.#end !== undefined) throw new Error('The response ended with END_REQUEST.')
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    return { text: this.#stdout.length === 0 ? '' : this.#body().toString() }
  }

  receive(type: number, content: Buffer): void {
    if (content.length > 0 && type === TYPES.STDOUT) {
      this.#stdout.push(content)
      this.stdoutRecords.push(content)
    } else if (type === TYPES.STDERR) {
      this.#stderr.push(content)
    }
    this.#wake()
  }

  receiveEnd(appStatus: number, protocolStatus: number): void {
    this.#end = { appStatus, protocolStatus }
    this.#wake()
  }

  receiveCut(): void {
    this.#cut = true
    this.#wake()
  }

  #sendStream(type: number, body: Uint8Array | string): boolean {
    let more = true
    for (const one of alignedRecords(type, this.#requestId, Buffer.from(body as string))) {
      more = this.#socket.write(one)
    }
    return more
  }

  #body(): Buffer {
    const all = Buffer.concat(this.#stdout)
    this.#stdout = [all]
    return all.subarray(all.indexOf('\r\n\r\n') + 4)
  }

  async #until<T>(find: () => T | undefined): Promise<T> {
    for (;;) {
      const found = find()
      if (found !== undefined) return found
      if (this.#cut) throw new Error('The connection closed before END_REQUEST.')
      if (this.#end !== undefined) throw new Error('The response ended too early.')
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

/** Sends one request on a new connection, and waits for the response. */
export async function ask(server: FastCgiServer, init?: FrontRequestInit): Promise<FrontResponse> {
  const front = await Front.connect(server)
  try {
    return await front.request(init).response()
  } finally {
    front.destroy()
  }
}

function paramsOf({
  method,
  target = '/',
  headers = {},
  body,
  params,
}: FrontRequestInit): Record<string, string> {
  const [path, query = ''] = target.split('?', 2)
  const all: Record<string, string> = {
    GATEWAY_INTERFACE: 'CGI/1.1',
    SERVER_PROTOCOL: 'HTTP/1.1',
    SERVER_NAME: 'front.test',
    SERVER_PORT: '80',
    HTTP_HOST: 'front.test',
    REMOTE_ADDR: '192.0.2.7',
    REMOTE_PORT: '40000',
    REQUEST_METHOD: method ?? (body === undefined ? 'GET' : 'POST'),
    REQUEST_URI: target,
    SCRIPT_NAME: '',
    PATH_INFO: path!,
    QUERY_STRING: query,
  }
  if (body !== undefined) all.CONTENT_LENGTH = String(Buffer.byteLength(body as string))
  for (const [name, value] of Object.entries(headers)) {
    const param = name.toUpperCase().replaceAll('-', '_')
    all[param === 'CONTENT_TYPE' || param === 'CONTENT_LENGTH' ? param : `HTTP_${param}`] = value
  }
  return { ...all, ...params }
}

function parseHead(head: string): Head {
  const all = head.split('\r\n')
  const statusLine = all.find((line) => line.startsWith('Status: '))
  const lines = all.filter((line) => line !== statusLine)
  const [, status, reason] = /^Status: (\d{3}) (.*)$/.exec(statusLine!)!
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(': ')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 2)]
  })
  return {
    status: Number(status),
    reason: reason!,
    lines,
    headers,
    header: (name) => headers.find(([candidate]) => candidate === name)?.[1],
  }
}
