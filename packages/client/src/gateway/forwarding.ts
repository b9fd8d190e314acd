import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { type Dispatcher, errors } from 'undici'
import type { FastCgiDispatcher } from '../dispatcher.ts'
import type { ResponseHandler } from '../response/handler.ts'
import type { ResponseHead } from '../response/response-head.ts'
import { adviceFor, GatewayError, statusOf } from './error.ts'
import { sendErrorPage } from './error-page.ts'
import type { NamedFile, NamedFiles } from './named-files.ts'
import { type ForwardedRequest, RequestRefusal, readRequest, redirectedRequest } from './request.ts'
import { requestBody } from './request-body.ts'

/** What is the same for all requests of a gateway. */
export interface GatewayContext {
  readonly dispatcher: FastCgiDispatcher
  readonly onError: (error: Error, request: IncomingMessage) => void
  readonly exposeErrors: boolean
  readonly localRedirects: boolean
  readonly files: NamedFiles | undefined
}

// About one hop (RFC 9110 section 7.6.1), which Node says itself; and what is for a front server alone. Compared in lower case.
const NOT_FORWARDED = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-accel-redirect',
  'x-sendfile',
])

// As many as Apache allows (LimitInternalRecursion).
const REDIRECTS_MAX = 10

/** One request of an HTTP client's on its way to the application, and the answer on its way back. */
export class Forwarding implements ResponseHandler {
  readonly #context: GatewayContext
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  #forwarded!: ForwardedRequest
  #controller: Dispatcher.DispatchController | undefined
  #redirects = 0
  // What follows an answer that does not go to the client itself.
  #follow: (() => void) | undefined
  #wrote = false

  constructor(context: GatewayContext, request: IncomingMessage, response: ServerResponse) {
    this.#context = context
    this.#request = request
    this.#response = response
  }

  start(): void {
    const request = this.#request
    const response = this.#response
    try {
      this.#forwarded = readRequest(request)
    } catch (error) {
      if (!(error instanceof RequestRefusal)) throw error
      // It may send its body all the same, or not: nothing can follow on its connection.
      if (request.headers.expect !== undefined) response.shouldKeepAlive = false
      // News for the client alone.
      sendErrorPage(request, response, error.status, [error.message])
      return
    }
    response.on('drain', () => this.#controller?.resume())
    response.on('close', () => {
      if (!response.writableFinished) {
        this.#controller?.abort(new errors.RequestAbortedError('The HTTP client closed its connection.'))
      }
    })
    this.#dispatch(requestBody(request, response))
  }

  #dispatch(body: Readable | Buffer | null): void {
    const { method, target, headers, params } = this.#forwarded
    this.#context.dispatcher.dispatch(
      { method, path: target, headers: headers as string[], params, body },
      this as unknown as Dispatcher.DispatchHandler,
    )
  }

  onStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    this.#follow = undefined
  }

  onHead(_: Dispatcher.DispatchController, head: ResponseHead): void {
    const { localRedirects, files } = this.#context
    const { status, reason, localLocation } = head
    if (localRedirects && localLocation !== undefined) {
      this.#follow = () => this.#redirect(localLocation)
      return
    }
    const file = files?.find(status, head.headers)
    const headers = responseHeaders(file?.headers ?? head.headers, status)
    if (file !== undefined) {
      this.#follow = () => void this.#sendFile({ ...file, headers })
      return
    }
    const response = this.#response
    if (reason !== '') response.writeHead(status, reason, headers)
    else response.writeHead(status, headers)
    // The head leaves with the body where that is here already, and alone where it is not.
    process.nextTick(() => {
      if (!this.#wrote) response.flushHeaders()
    })
  }

  onData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#follow !== undefined) return
    this.#wrote = true
    if (!this.#response.write(chunk)) controller.pause()
  }

  onEnd(): void {
    this.#controller = undefined
    if (this.#follow !== undefined) {
      this.#follow()
      return
    }
    this.#wrote = true
    this.#response.end()
  }

  onError(_: unknown, error: Error): void {
    this.#controller = undefined
    this.#fail(error)
  }

  #redirect(location: string): void {
    if (++this.#redirects > REDIRECTS_MAX) {
      this.#fail(
        new GatewayError(
          500,
          `The application redirected ${REDIRECTS_MAX} times within the site, at last to ${location}.`,
        ),
      )
      return
    }
    try {
      this.#forwarded = redirectedRequest(this.#forwarded, location)
    } catch (error) {
      const { message } = error as Error
      this.#fail(new GatewayError(502, `The application redirects to ${location}. ${message}`))
      return
    }
    this.#dispatch(null)
  }

  async #sendFile(file: NamedFile): Promise<void> {
    try {
      await this.#context.files!.send(this.#request, this.#response, file)
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  #fail(error: Error): void {
    const response = this.#response
    if (response.destroyed) return
    this.#context.onError(error, this.#request)
    if (response.headersSent) {
      // Cut off, so that the client sees that this is not all of it.
      response.destroy()
      return
    }
    // The error's message names sockets and paths.
    const details = this.#context.exposeErrors ? [error.message, adviceFor(error)].filter(Boolean) : []
    sendErrorPage(this.#request, response, statusOf(error), details)
  }
}

function responseHeaders(headers: readonly string[], status: number): string[] {
  const forwarded: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    const lowerName = name.toLowerCase()
    if (NOT_FORWARDED.has(lowerName)) continue
    // Not with a 204 (RFC 9110 section 8.6), and a 205 has no body that it could be the length of (15.3.6): a client would wait
    // for it, and take the next answer's head for it.
    if ((status === 204 || status === 205) && lowerName === 'content-length') continue
    forwarded.push(name, headers[i + 1]!)
  }
  return forwarded
}
