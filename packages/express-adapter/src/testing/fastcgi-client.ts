import { connect, type Socket } from 'node:net'
import { begin, params, RecordReader, record, TYPES, type WireRecord } from '@fcgi-bridge/testing'
import {
  BodyCollector,
  bodyOf,
  type Client,
  type ClientExchange,
  type ClientRequest,
  type ClientResponse,
  comparableHeaders,
} from './client.ts'

/** Options of the front server that the client plays. */
export interface FrontOptions {
  /** Params added to those of the request. */
  params?: Readonly<Record<string, string>>
  /** Called with the text of FCGI_STDERR. */
  onStderr?: (text: string) => void
}

/** Creates a client of a FastCGI server on `port`. It opens a connection for each request, as nginx does without `fastcgi_keep_conn`. */
export function createFastCgiClient(port: number, options: FrontOptions = {}): Client {
  const sockets = new Set<Socket>()
  return {
    send: (request = {}) => {
      const socket = connect(port, '127.0.0.1')
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
      return send(socket, request, options)
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
    },
  }
}

const EMPTY = Buffer.alloc(0)
const REQUEST_ID = 1

function send(socket: Socket, request: ClientRequest, options: FrontOptions): ClientExchange {
  const received = new ResponseReader(options)
  const reader = new RecordReader((wireRecord) => received.onRecord(wireRecord))
  socket.on('data', (chunk: Buffer) => reader.push(chunk))
  // Every front server except nginx closes the connection at END_REQUEST.
  received.onEnd = () => socket.end()
  socket.on('error', () => {})
  const response = new Promise<ClientResponse>((resolve) => {
    socket.on('close', () => resolve(received.close()))
  })

  const { streamed = false } = request
  const body = bodyOf(request) ?? EMPTY
  socket.write(
    Buffer.concat([begin(REQUEST_ID), params(REQUEST_ID, { ...paramsOf(request), ...options.params })]),
  )
  const write = (chunk: string | Uint8Array): void => {
    const bytes = Buffer.from(chunk as string)
    for (let at = 0; at < bytes.length; at += 32768) {
      socket.write(record(TYPES.STDIN, REQUEST_ID, bytes.subarray(at, at + 32768)))
    }
  }
  const end = (): void => {
    socket.write(record(TYPES.STDIN, REQUEST_ID))
  }
  if (!streamed) {
    write(body)
    end()
  }
  return {
    head: received.head,
    response,
    received: (text) => received.collector.received(text),
    write,
    end,
    // nginx closes the connection, and sends no FCGI_ABORT_REQUEST.
    abort: () => {
      socket.destroy()
    },
    pause: () => {
      socket.pause()
    },
    resume: () => {
      socket.resume()
    },
  }
}

function paramsOf(request: ClientRequest): Record<string, string> {
  const { method = 'GET', path = '/', headers = [], streamed = false, httpVersion = '1.1' } = request
  const body = bodyOf(request)
  const [pathname, query = ''] = path.split(/\?(.*)/s)
  const params: Record<string, string> = {
    GATEWAY_INTERFACE: 'CGI/1.1',
    SERVER_SOFTWARE: 'test',
    SERVER_PROTOCOL: `HTTP/${httpVersion}`,
    SERVER_ADDR: '127.0.0.1',
    SERVER_PORT: '80',
    SERVER_NAME: 'example.test',
    REMOTE_ADDR: '127.0.0.1',
    REMOTE_PORT: '40000',
    REQUEST_METHOD: method,
    REQUEST_URI: path,
    SCRIPT_NAME: pathname!,
    QUERY_STRING: query,
    CONTENT_LENGTH: body === undefined ? '' : String(Buffer.byteLength(body)),
    HTTP_HOST: 'example.test',
  }
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!.toUpperCase().replaceAll('-', '_')
    const value = headers[i + 1]!
    if (name === 'CONTENT_TYPE' || name === 'CONTENT_LENGTH') params[name] = value
    else if (params[`HTTP_${name}`] === undefined || name === 'HOST') params[`HTTP_${name}`] = value
    else params[`HTTP_${name}`] += `${name === 'COOKIE' ? '; ' : ', '}${value}`
  }
  // nginx sends this param, too. It shows that the client sent a Content-Length.
  if (params.CONTENT_LENGTH !== '') params.HTTP_CONTENT_LENGTH = params.CONTENT_LENGTH!
  if (streamed && params.CONTENT_LENGTH === '') params.HTTP_TRANSFER_ENCODING = 'chunked'
  return params
}

/** Reads a response from its records: CGI head, body, end. */
class ResponseReader {
  readonly collector = new BodyCollector()
  readonly head: Promise<number>
  onEnd: () => void = () => {}
  readonly #options: FrontOptions
  #resolveHead: (status: number) => void = () => {}
  #headBytes = EMPTY
  #status = 0
  #reason = ''
  #headers: string[] = []
  #ended = false

  constructor(options: FrontOptions) {
    this.#options = options
    this.head = new Promise((resolve) => {
      this.#resolveHead = resolve
    })
  }

  onRecord({ type, content }: WireRecord): void {
    if (type === TYPES.END_REQUEST) {
      this.#ended = content.readUInt32BE(0) === 0 && content[4] === 0
      this.onEnd()
    } else if (content.length > 0) {
      if (type === TYPES.STDERR) this.#options.onStderr?.(content.toString())
      else if (type === TYPES.STDOUT) this.#receive(content)
    }
  }

  #receive(content: Buffer): void {
    if (this.#status !== 0) {
      this.collector.push(content)
      return
    }
    this.#headBytes = Buffer.concat([this.#headBytes, content])
    const headEnd = this.#headBytes.indexOf('\r\n\r\n')
    if (headEnd < 0) return
    this.#readHead(this.#headBytes.toString('latin1', 0, headEnd).split('\r\n'))
    const rest = this.#headBytes.subarray(headEnd + 4)
    if (rest.length > 0) this.collector.push(rest)
    this.#resolveHead(this.#status)
  }

  close(): ClientResponse {
    this.#resolveHead(this.#status)
    return {
      status: this.#status,
      reason: this.#reason,
      headers: comparableHeaders(this.#headers),
      body: this.collector.bytes,
      complete: this.#ended,
    }
  }

  #readHead(lines: readonly string[]): void {
    for (const line of lines) {
      const colon = line.indexOf(': ')
      if (colon < 0) throw new Error(`Not a line of a CGI head: ${line}`)
      this.#headers.push(line.slice(0, colon), line.slice(colon + 2))
    }
    const status = this.#headers.indexOf('Status')
    if (status < 0) throw new Error('The head has no Status.')
    this.#status = Number.parseInt(this.#headers[status + 1]!, 10)
    this.#reason = this.#headers[status + 1]!.slice(4)
    for (let i = 0; i < this.#headers.length; i += 2) {
      if (/^(?:connection|keep-alive|transfer-encoding|trailer|upgrade)$/i.test(this.#headers[i]!)) {
        throw new Error(`A header of the connection is in the CGI head: ${this.#headers[i]}.`)
      }
    }
  }
}
