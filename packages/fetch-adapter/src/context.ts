import { isIPv6 } from 'node:net'
import type { Writable } from 'node:stream'
import { createBody, type Exchange, type Role } from '@fcgi-bridge/core'
import { incomingOf } from './observable.ts'

/**
 * What FastCGI says of a request beyond the Request itself: a handler's second argument. Every property is
 * made when it is first read.
 */
export interface FetchContext {
  /** The CGI params, on an object without prototype: `REMOTE_USER`, `SSL_CLIENT_S_DN`, whatever the front server sends. */
  readonly params: Readonly<Record<string, string>>
  /** `'responder'`; in an {@link AuthorizeHandler} `'authorizer'`; `'filter'` where the front server uses that role. */
  readonly role: Role
  /** The request's id on its FastCGI connection (section 3.3). */
  readonly requestId: number
  /** FCGI_STDERR: the front server's error log. */
  readonly stderr: Writable
  /** The client's address (REMOTE_ADDR). */
  readonly remoteAddress: string | undefined
  /** Where the app is mounted: `''`, or the beginning of the URL's path that belongs to the mount, as `/shop`. */
  readonly mount: string
  /** The file that a filter is to filter (FCGI_DATA, section 6.4); undefined in other roles. */
  readonly data: ReadableStream<Uint8Array> | undefined
  /** The client as Node tells it; where `getConnInfo` of `@hono/node-server/conninfo` looks. */
  readonly incoming: { readonly socket: PeerAddress }
  /**
   * Takes work that goes on behind the response: `server.close()` waits for it, within its deadline. A rejection goes
   * to the server's `onError`.
   */
  waitUntil(promise: PromiseLike<unknown>): void
  /** For apps written for Workers; does nothing, as there is no origin server to fall back on. */
  passThroughOnException(): void
  /** For apps written for Workers; always empty. */
  readonly props: Readonly<Record<string, never>>
}

/** The client's address under the names of a node:net socket. */
export interface PeerAddress {
  /** REMOTE_ADDR. */
  readonly remoteAddress: string | undefined
  /** REMOTE_PORT. */
  readonly remotePort: number | undefined
  readonly remoteFamily: 'IPv4' | 'IPv6' | undefined
}

const NO_PROPS: Readonly<Record<string, never>> = Object.freeze({})

/** The {@link FetchContext} of one exchange. */
export class ExchangeContext implements FetchContext {
  readonly #exchange: Exchange
  #incoming: { readonly socket: PeerAddress } | undefined
  #data: ReadableStream<Uint8Array> | undefined

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  get params(): Readonly<Record<string, string>> {
    return this.#exchange.params
  }

  get role(): Role {
    return this.#exchange.role
  }

  get requestId(): number {
    return this.#exchange.requestId
  }

  get stderr(): Writable {
    return this.#exchange.stderr
  }

  get remoteAddress(): string | undefined {
    return this.#exchange.remoteAddress
  }

  get mount(): string {
    return this.#exchange.mount
  }

  get data(): ReadableStream<Uint8Array> | undefined {
    if (this.#exchange.role === 'filter') this.#data ??= createBody(this.#exchange.data)
    return this.#data
  }

  get incoming(): { readonly socket: PeerAddress } {
    // Datadog looks for the request here that it saw, to tell it the route (Hono).
    this.#incoming ??= (incomingOf(this.#exchange) as { readonly socket: PeerAddress } | undefined) ?? {
      socket: new ExchangePeer(this.#exchange),
    }
    return this.#incoming
  }

  get props(): Readonly<Record<string, never>> {
    return NO_PROPS
  }

  waitUntil(promise: PromiseLike<unknown>): void {
    this.#exchange.waitUntil(promise)
  }

  passThroughOnException(): void {}
}

class ExchangePeer implements PeerAddress {
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined

  constructor(exchange: Exchange) {
    this.remoteAddress = exchange.remoteAddress
    this.remotePort = exchange.remotePort
  }

  get remoteFamily(): 'IPv4' | 'IPv6' | undefined {
    if (this.remoteAddress === undefined) return undefined
    return isIPv6(this.remoteAddress) ? 'IPv6' : 'IPv4'
  }
}
