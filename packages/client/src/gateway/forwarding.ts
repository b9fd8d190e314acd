import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { type Dispatcher, errors } from 'undici'
import type { FastCgiDispatcher } from '../dispatcher.ts'
import type { ResponseHandler } from '../response/handler.ts'
import type { ResponseHead } from '../response/response-head.ts'
import { adviceFor, GatewayError, statusOf } from './error.ts'
import { sendErrorPage } from './error-page.ts'
import { type ForwardedRequest, RequestRefusal, readRequest, redirectedRequest } from './request.ts'
import { requestBody } from './request-body.ts'
import { forwardedHeaders } from './response-headers.ts'
import type { SendfileFolders, SendfileResponse } from './sendfile.ts'

/** What all requests of a gateway share. */
export interface GatewayContext {
  readonly dispatcher: FastCgiDispatcher
  readonly onError: (error: Error, request: IncomingMessage) => void
  readonly exposeErrors: boolean
  readonly localRedirects: boolean
  readonly files: SendfileFolders | undefined
}

// Apache allows as many (LimitInternalRecursion).
const REDIRECTS_MAX = 10

/** One request of an HTTP client: forwards it to the application, and the response to the client. */
export class Forwarding implements ResponseHandler {
  readonly #context: GatewayContext
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  #forwarded!: ForwardedRequest
  #controller: Dispatcher.DispatchController | undefined
  #redirects = 0
  // Runs when the application has ended a response that is not for the client: a local redirect, or the name of a file.
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
      // The client may or may not send its body now, so the connection cannot be reused.
      if (request.headers.expect !== undefined) response.shouldKeepAlive = false
      // Not reported to onError: the client is at fault.
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
    const headers = forwardedHeaders(file?.headers ?? head.headers, status)
    if (file !== undefined) {
      this.#follow = () => void this.#sendFile({ ...file, headers })
      return
    }
    const response = this.#response
    if (reason !== '') response.writeHead(status, reason, headers)
    else response.writeHead(status, headers)
    // Send the head together with the first part of the body if that has arrived. Otherwise send it alone.
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

  async #sendFile(file: SendfileResponse): Promise<void> {
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
      // Abort the connection, so that the client detects that the response is incomplete.
      response.destroy()
      return
    }
    // The error's message contains socket addresses and paths.
    const details = this.#context.exposeErrors ? [error.message, adviceFor(error)].filter(Boolean) : []
    sendErrorPage(this.#request, response, statusOf(error), details)
  }
}
