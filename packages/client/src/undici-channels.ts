import { channel } from 'node:diagnostics_channel'
import { stringify } from 'node:querystring'
import type { Dispatcher } from 'undici'
import { flattenHeaders } from './request/headers.ts'
import type { FastCgiDispatchOptions } from './request/request.ts'
import { type ResponseHandler, toRawHeaders } from './response/handler.ts'
import type { ResponseHead } from './response/response-head.ts'

// Keep these channels alive, because node:diagnostics_channel holds a channel without subscribers only weakly.
const create = channel('undici:request:create')
const headers = channel('undici:request:headers')
const trailers = channel('undici:request:trailers')
const failed = channel('undici:request:error')

/** True if a tool, such as OpenTelemetry's instrumentation of undici, subscribes to undici's channels. */
export function hasChannelSubscribers(): boolean {
  return create.hasSubscribers
}

/** A request as published on undici's channels. */
class PublishedRequest {
  readonly origin: string
  readonly method: string
  readonly path: string
  /** [name, value, name, value…] */
  readonly headers: string[]
  completed = false
  aborted = false

  constructor({ origin, method, path, query, headers: given }: FastCgiDispatchOptions) {
    this.method = method
    this.path = query ? `${path}?${stringify(query)}` : path
    this.headers = flattenHeaders(given)
    const host = this.headers.findIndex((text, i) => i % 2 === 0 && text.toLowerCase() === 'host')
    this.origin = origin?.toString() ?? `http://${host < 0 ? 'localhost' : this.headers[host + 1]}`
  }

  /** Called by tools to add their trace context. */
  addHeader(name: string, value: string): this {
    this.headers.push(name, value)
    return this
  }
}

/**
 * Publishes `undici:request:create`. Returns what to dispatch instead: the options with the headers that subscribers
 * added, and a handler that publishes `undici:request:headers`, `undici:request:trailers` and `undici:request:error`.
 */
export function publishRequest(
  options: FastCgiDispatchOptions,
  handler: ResponseHandler,
): { options: FastCgiDispatchOptions; handler: ResponseHandler } {
  const request = new PublishedRequest(options)
  create.publish({ request })
  return {
    options: { ...options, headers: request.headers },
    handler: new PublishingHandler(request, handler),
  }
}

class PublishingHandler implements ResponseHandler {
  readonly #request: PublishedRequest
  readonly #handler: ResponseHandler

  constructor(request: PublishedRequest, handler: ResponseHandler) {
    this.#request = request
    this.#handler = handler
  }

  onStart(controller: Dispatcher.DispatchController): void {
    this.#handler.onStart(controller)
  }

  onHead(controller: Dispatcher.DispatchController, head: ResponseHead): void {
    if (headers.hasSubscribers) {
      headers.publish({
        request: this.#request,
        response: {
          statusCode: head.status,
          headers: toRawHeaders(head.headers),
          statusText: head.reason,
        },
      })
    }
    this.#handler.onHead(controller, head)
  }

  onData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#handler.onData(controller, chunk)
  }

  onEnd(controller: Dispatcher.DispatchController): void {
    this.#request.completed = true
    if (trailers.hasSubscribers) trailers.publish({ request: this.#request, trailers: [] })
    this.#handler.onEnd(controller)
  }

  onError(controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (!this.#request.completed && !this.#request.aborted) {
      this.#request.aborted = true
      if (failed.hasSubscribers) failed.publish({ request: this.#request, error })
    }
    this.#handler.onError(controller, error)
  }
}
