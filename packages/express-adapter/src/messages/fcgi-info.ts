import type { Writable } from 'node:stream'
import type { Exchange, Role } from '@fcgi-bridge/core'

/** What FastCGI knows of a request beyond HTTP: `req.fcgi`. */
export class FcgiInfo {
  readonly #exchange: Exchange

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  /** The params (CGI meta-variables, RFC 3875 section 4.1) by name, one character a byte (latin1). One that the front server did not send is undefined. */
  get params(): Readonly<Record<string, string | undefined>> {
    return this.#exchange.params
  }

  /** The params as they came: name, value, name, value … */
  get rawParams(): readonly string[] {
    return this.#exchange.rawParams
  }

  /** What the front server wants of the app; 'responder' unless a core server was set up for more. */
  get role(): Role {
    return this.#exchange.role
  }

  /** The request's id on its connection (FastCGI 1.0 section 3.3). */
  get requestId(): number {
    return this.#exchange.requestId
  }

  /** REMOTE_ADDR, as `req.socket.remoteAddress`. */
  get remoteAddress(): string | undefined {
    return this.#exchange.remoteAddress
  }

  /** Where the app is mounted, raw: `'/shop'`, or `''` at the root. */
  get mount(): string {
    return this.#exchange.mount
  }

  /** FCGI_STDERR: the front server's error log. */
  get stderr(): Writable {
    return this.#exchange.stderr
  }
}

declare module 'node:http' {
  interface IncomingMessage {
    /** There when the request came over FastCGI. */
    fcgi?: FcgiInfo
  }
}
