import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { type Dispatcher, errors } from 'undici'
import type { FastCgiAddress } from './address.ts'
import { FastCgiDispatcher, type FastCgiDispatcherOptions } from './dispatcher.ts'
import type { FastCgiParams } from './params.ts'

/** Options of {@link createGateway}: those of the dispatcher, and these. */
export interface GatewayOptions extends FastCgiDispatcherOptions {
  /** What the application writes to FCGI_STDERR. Default: it goes to `process.stderr`. */
  readonly onStderr?: NonNullable<FastCgiDispatcherOptions['onStderr']>
  /** A request that failed between here and the application. Default: one line on `process.stderr`. */
  readonly onError?: (error: Error, request: IncomingMessage) => void
}

// About one hop (RFC 9110 section 7.6.1): Node says them itself. Compared in lower case.
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

// The host of a Host header, its port left out.
const SERVER_NAME = /^([\w.-]+|\[[\da-f:.]+\])(?::\d*)?$/i

/**
 * An HTTP server that hands each request to a FastCGI application, over kept connections, streaming both ways: a
 * plain `node:http` server, so `gateway.listen(8080)` and `supertest(gateway)` both work. Closing it closes the
 * connections to the application as well.
 *
 * Throws TypeError for an address that is none.
 */
export function createGateway(address: FastCgiAddress, options: GatewayOptions = {}): Server {
  const dispatcher = new FastCgiDispatcher(address, {
    onStderr: (chunk) => process.stderr.write(chunk),
    ...options,
  })
  const onError = options.onError ?? logError
  const server = createServer((request, response) => forward(dispatcher, onError, request, response))
  // Without this, Node says 100 Continue at once, before it is known that there is an application to take the body.
  server.on('checkContinue', (request, response) => forward(dispatcher, onError, request, response))
  // Not the dispatcher itself: the server may listen again, as supertest makes it do for every request.
  server.on('close', () => dispatcher.closeIdleConnections())
  return server
}

function forward(
  dispatcher: FastCgiDispatcher,
  onError: (error: Error, request: IncomingMessage) => void,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const { target, authority } = readTarget(request.url!)
  dispatcher.dispatch(
    {
      method: request.method!,
      path: target,
      headers: requestHeaders(request.rawHeaders, authority),
      body: requestBody(request, response),
      params: connectionParams(request, authority),
    },
    new GatewayHandler(request, response, (error) => onError(error, request)),
  )
}

// The absolute form of a target brings its own authority, which wins over Host (RFC 9112 section 3.2.2).
function readTarget(url: string): { target: string; authority: string | undefined } {
  const [, authority, target = ''] = /^https?:\/\/(?:[^/?#]*@)?([^/?#]*)(.*)$/i.exec(url) ?? []
  if (authority === undefined) return { target: url, authority }
  return { target: target.startsWith('/') ? target : `/${target}`, authority }
}

// A name with an underscore would come out as the same variable as one with a dash, which is how a client slips past
// whoever sets or strips the latter (nginx and Apache drop such names as well).
function requestHeaders(rawHeaders: readonly string[], authority: string | undefined): string[] {
  const headers: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (authority !== undefined && name.toLowerCase() === 'host') continue
    if (/^[A-Za-z\d-]+$/.test(name)) headers.push(name, rawHeaders[i + 1]!)
  }
  if (authority !== undefined) headers.push('Host', authority)
  return headers
}

function connectionParams(request: IncomingMessage, authority: string | undefined): FastCgiParams {
  const { socket } = request
  const host = authority ?? request.headers.host
  return {
    SERVER_PROTOCOL: `HTTP/${request.httpVersion}`,
    // nginx says "unix:" for a client on a Unix socket.
    REMOTE_ADDR: plainAddress(socket.remoteAddress) ?? 'unix:',
    REMOTE_PORT: socket.remotePort === undefined ? '' : String(socket.remotePort),
    SERVER_ADDR: plainAddress(socket.localAddress) ?? 'unix:',
    SERVER_PORT: socket.localPort === undefined ? '' : String(socket.localPort),
    SERVER_NAME: SERVER_NAME.exec(host ?? '')?.[1] ?? plainAddress(socket.localAddress) ?? 'localhost',
    // Without a Host there is none, rather than a made-up one.
    ...(host === undefined && { HTTP_HOST: undefined }),
  }
}

// An IPv4 client on a socket that listens on IPv6 as well is an IPv4 client to applications.
function plainAddress(address: Socket['remoteAddress']): string | undefined {
  return address?.replace(/^::ffff:(?=\d+\.)/i, '')
}

/**
 * The request's body as a stream of its own. The one of the request must not be destroyed when the application wants no
 * more of it: that would take the client's connection along, and the answer with it.
 */
function requestBody(request: IncomingMessage, response: ServerResponse): Readable | Buffer | null {
  const length = request.headers['content-length']
  if (request.headers['transfer-encoding'] === undefined) {
    if (length === undefined) return null
    if (Number(length) === 0) return Buffer.alloc(0)
  }
  let expectsContinue = request.headers.expect !== undefined
  // A client that is not told to go on may never send its body: nothing can follow on its connection.
  const { shouldKeepAlive } = response
  if (expectsContinue) response.shouldKeepAlive = false
  const body = new Readable({
    read() {
      if (expectsContinue) {
        expectsContinue = false
        response.shouldKeepAlive = shouldKeepAlive
        response.writeContinue()
      }
      request.resume()
    },
    destroy(error, callback) {
      request.off('data', onData).off('end', onEnd)
      request.resume()
      callback(error)
    },
  })
  const onData = (chunk: Buffer): void => {
    if (!body.push(chunk)) request.pause()
  }
  const onEnd = (): void => {
    body.push(null)
  }
  // That the client leaves in between is told by the response's 'close'.
  request.on('data', onData).on('end', onEnd)
  request.pause()
  return body
}

class GatewayHandler implements Dispatcher.DispatchHandler {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #onError: (error: Error) => void
  #wrote = false

  constructor(request: IncomingMessage, response: ServerResponse, onError: (error: Error) => void) {
    this.#request = request
    this.#response = response
    this.#onError = onError
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#response.on('drain', () => controller.resume())
    this.#response.on('close', () => {
      if (!this.#response.writableFinished) {
        controller.abort(new errors.RequestAbortedError('The HTTP client closed its connection.'))
      }
    })
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    _: unknown,
    reason?: string,
  ): void {
    const response = this.#response
    const headers = responseHeaders(controller.rawHeaders as Buffer[], status)
    if (reason) response.writeHead(status, reason, headers)
    else response.writeHead(status, headers)
    // The head leaves with the body where that is here already, and alone where it is not.
    process.nextTick(() => {
      if (!this.#wrote) response.flushHeaders()
    })
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#wrote = true
    if (!this.#response.write(chunk)) controller.pause()
  }

  onResponseEnd(): void {
    this.#wrote = true
    this.#response.end()
  }

  onResponseError(_: unknown, error: Error): void {
    const response = this.#response
    if (response.destroyed) return
    this.#onError(error)
    if (response.headersSent) {
      // Cut off, so that the client sees that this is not all of it.
      response.destroy()
      return
    }
    const [status, page] = errorPage(error)
    response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': page.length })
    response.end(this.#request.method === 'HEAD' ? undefined : page)
  }
}

function responseHeaders(rawHeaders: readonly Buffer[], status: number): string[] {
  const headers: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toString('latin1')
    const lowerName = name.toLowerCase()
    if (HOP_BY_HOP.has(lowerName)) continue
    // RFC 9110 section 8.6: not with a 204.
    if (status === 204 && lowerName === 'content-length') continue
    headers.push(name, rawHeaders[i + 1]!.toString('latin1'))
  }
  return headers
}

// The error's message names sockets and paths: it goes to the log, and its code to the page.
function errorPage(error: Error & { code?: string }): [status: number, page: Buffer] {
  const because = error.code === undefined ? '' : ` (${error.code})`
  const [status, text] =
    error instanceof errors.HeadersTimeoutError || error instanceof errors.ConnectTimeoutError
      ? [
          504,
          `504 Gateway Timeout\n\nThe application behind this gateway did not answer in time${because}.\n`,
        ]
      : error.code === 'FCGI_ERR_OVERLOADED'
        ? [503, `503 Service Unavailable\n\nThe application behind this gateway is busy${because}.\n`]
        : error.code === 'FCGI_ERR_REQUEST' || error instanceof errors.InvalidArgumentError
          ? [400, `400 Bad Request\n\nThis request can not be said in CGI${because}.\n`]
          : [502, `502 Bad Gateway\n\nThe application behind this gateway gave no usable answer${because}.\n`]
  return [status, Buffer.from(text)]
}

function logError(error: Error, request: IncomingMessage): void {
  process.stderr.write(`fcgi-bridge gateway: ${request.method} ${request.url}: ${error.message}\n`)
}
