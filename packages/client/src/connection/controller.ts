import type { Dispatcher } from 'undici'
import { toRawHeaders } from '../response/handler.ts'
import type { ResponseHead } from '../response/response-head.ts'

/** Header names and values in the form of undici's handlers: `[name, value, …]`, or null if none were received. */
type RawHeaders = NonNullable<Dispatcher.DispatchController['rawHeaders']> | null

/** The controller that undici's handlers get. Its header fields can be assigned, as those of undici's own controller can. */
export abstract class HandlerController implements Dispatcher.DispatchController {
  // Built at the first read and kept, because undici's handlers edit and replace it.
  #rawHeaders: RawHeaders | undefined
  #rawTrailers: RawHeaders = null

  abstract readonly aborted: boolean
  abstract readonly paused: boolean
  abstract readonly reason: Error | null
  abstract abort(reason?: Error): void
  abstract pause(): void
  abstract resume(): void
  /** The response head. Undefined until it was received. */
  protected abstract readonly head: ResponseHead | undefined

  /** Null until there is a response head; then always the same array, unless a handler assigns another. */
  get rawHeaders(): RawHeaders {
    if (this.#rawHeaders === undefined) {
      if (this.head === undefined) return null
      this.#rawHeaders = toRawHeaders(this.head.headers)
    }
    return this.#rawHeaders
  }

  set rawHeaders(headers: RawHeaders | undefined) {
    this.#rawHeaders = headers
  }

  /** Null until the response has ended. FastCGI responses have no trailers. */
  get rawTrailers(): RawHeaders {
    return this.#rawTrailers
  }

  set rawTrailers(trailers: RawHeaders | undefined) {
    this.#rawTrailers = trailers ?? null
  }
}
