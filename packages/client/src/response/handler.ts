import { type Dispatcher, errors, util } from 'undici'
import type { ResponseHead } from './response-head.ts'

/** Receives the events of a request. Wraps one of undici's two handler interfaces. */
export interface ResponseHandler {
  /** A piece of the request body was written. */
  onBodySent?: ((chunk: Uint8Array) => void) | undefined
  /** All of the request was written. */
  onRequestSent?: (() => void) | undefined
  onStart(controller: Dispatcher.DispatchController): void
  onHead(controller: Dispatcher.DispatchController, head: ResponseHead): void
  onData(controller: Dispatcher.DispatchController, chunk: Buffer): void
  onEnd(controller: Dispatcher.DispatchController): void
  /** `controller` is undefined when the request failed before it began. */
  onError(controller: Dispatcher.DispatchController | undefined, error: Error): void
}

/**
 * Wraps a handler of either interface: with `onRequestStart` (undici 7 and 8, and the fetch of Node 26), or the older one with
 * `onConnect` (undici up to 7, and the fetch of Node 20 to 24). Throws undici's InvalidArgumentError for anything else.
 */
export function toResponseHandler(handler: Dispatcher.DispatchHandler): ResponseHandler {
  if (typeof handler !== 'object' || handler === null) {
    throw new errors.InvalidArgumentError('handler must be an object')
  }
  // The gateway implements ResponseHandler itself, because it needs the response head as it was received.
  if ('onHead' in handler) return handler as unknown as ResponseHandler
  if (typeof handler.onRequestStart === 'function') return new ControllerHandler(handler)
  for (const name of ['onConnect', 'onError'] as const) {
    if (typeof handler[name] !== 'function') throw new errors.InvalidArgumentError(`invalid ${name} method`)
  }
  return new CallbackHandler(handler as Required<Dispatcher.DispatchHandler>)
}

/** Header names and values as buffers, the form of undici's raw headers. */
export function toRawHeaders(headers: readonly string[]): Buffer[] {
  return headers.map((text) => Buffer.from(text, 'latin1'))
}

// undici 8 calls these on handlers of the newer interface as well, undici 7 on the older interface only.
interface SendHooks {
  onBodySent?(chunk: Uint8Array): void
  onRequestSent?(): void
}

/** What both interfaces have in common. */
class SendHandler {
  readonly #hooks: SendHooks

  constructor(handler: object) {
    // undici 7's types declare two numbers for onBodySent, but its code passes the chunk.
    this.#hooks = handler
  }

  onBodySent(chunk: Uint8Array): void {
    this.#hooks.onBodySent?.(chunk)
  }

  onRequestSent(): void {
    this.#hooks.onRequestSent?.()
  }
}

class ControllerHandler extends SendHandler implements ResponseHandler {
  readonly #handler: Dispatcher.DispatchHandler

  constructor(handler: Dispatcher.DispatchHandler) {
    super(handler)
    this.#handler = handler
  }

  onStart(controller: Dispatcher.DispatchController): void {
    this.#handler.onRequestStart?.(controller, {})
  }

  onHead(controller: Dispatcher.DispatchController, head: ResponseHead): void {
    this.#handler.onResponseStarted?.()
    const headers = util.parseHeaders(head.headers as string[])
    this.#handler.onResponseStart?.(controller, head.status, headers, head.reason)
  }

  onData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#handler.onResponseData?.(controller, chunk)
  }

  onEnd(controller: Dispatcher.DispatchController): void {
    this.#handler.onResponseEnd?.(controller, {})
  }

  onError(controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.#handler.onResponseError === undefined) throw error
    this.#handler.onResponseError(controller as Dispatcher.DispatchController, error)
  }
}

class CallbackHandler extends SendHandler implements ResponseHandler {
  readonly #handler: Required<Dispatcher.DispatchHandler>

  constructor(handler: Required<Dispatcher.DispatchHandler>) {
    super(handler)
    this.#handler = handler
  }

  onStart(controller: Dispatcher.DispatchController): void {
    const onConnect = this.#handler.onConnect as (abort: (error?: Error) => void, context: object) => void
    onConnect.call(this.#handler, (error) => controller.abort(error as Error), {})
  }

  onHead(controller: Dispatcher.DispatchController, head: ResponseHead): void {
    this.#handler.onResponseStarted?.()
    const resume = () => controller.resume()
    if (this.#handler.onHeaders(head.status, toRawHeaders(head.headers), resume, head.reason) === false) {
      controller.pause()
    }
  }

  onData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#handler.onData(chunk) === false) controller.pause()
  }

  onEnd(): void {
    this.#handler.onComplete([])
  }

  onError(_: Dispatcher.DispatchController | undefined, error: Error): void {
    this.#handler.onError(error)
  }
}
