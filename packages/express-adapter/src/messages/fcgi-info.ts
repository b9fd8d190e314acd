import type { Writable } from 'node:stream'
import type { Exchange, Role } from '@fcgi-bridge/core'

/** `req.fcgi`: the facts about a request that FastCGI provides and HTTP does not. */
export class FcgiInfo {
  readonly #exchange: Exchange

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  /** The params (CGI meta-variables, RFC 3875 section 4.1) by name. Each character is one byte (latin1). */
  get params(): Readonly<Record<string, string | undefined>> {
    return this.#exchange.params
  }

  /** The params in the order received: name, value, name, value … */
  get rawParams(): readonly string[] {
    return this.#exchange.rawParams
  }

  /** The role that the front server asks for (FastCGI 1.0 section 6). Always 'responder' under `serve`. */
  get role(): Role {
    return this.#exchange.role
  }

  /** The request's id on its connection (FastCGI 1.0 section 3.3). */
  get requestId(): number {
    return this.#exchange.requestId
  }

  /** The client's address (REMOTE_ADDR): the same as `req.socket.remoteAddress`. */
  get remoteAddress(): string | undefined {
    return this.#exchange.remoteAddress
  }

  /** The mount of the app as the client sent it: `'/shop'`, or `''` at the root. */
  get mount(): string {
    return this.#exchange.mount
  }

  /**
   * Aborts when the server begins to drain: end event streams then, so that their clients reconnect elsewhere. All requests share it, so
   * remove a listener when its response closes.
   */
  get draining(): AbortSignal {
    return this.#exchange.draining
  }

  /** FCGI_STDERR: the front server's error log. */
  get stderr(): Writable {
    return this.#exchange.stderr
  }
}

declare module 'node:http' {
  interface IncomingMessage {
    /** Set if the request came over FastCGI. */
    fcgi?: FcgiInfo
  }
}
