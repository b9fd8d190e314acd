import { isIPv6 } from 'node:net'
import type { Writable } from 'node:stream'
import { inspect } from 'node:util'
import { createBody, type Exchange, type Role } from '@fcgi-bridge/core'
import { incomingOf } from '../observed-incoming.ts'

/**
 * What FastCGI knows of a request and a Request cannot say: the second argument of a handler. The members are own
 * properties: frameworks may assign them, copy the context, and add members. Each value is made when it is first asked for.
 */
export interface FetchContext {
  /** The CGI params, on an object without prototype: `REMOTE_USER`, `SSL_CLIENT_S_DN`, whatever the front server sends. */
  params: Readonly<Record<string, string | undefined>>
  /** `'responder'`; `'authorizer'` in an {@link AuthorizeHandler}; `'filter'` if the front server uses that role. */
  role: Role
  /** The request's id on its FastCGI connection (section 3.3). */
  requestId: number
  /** FCGI_STDERR: the front server's error log. */
  stderr: Writable
  /** The client's address (REMOTE_ADDR). */
  remoteAddress: string | undefined
  /** Where the app is mounted: `''`, or the beginning of the URL's path that belongs to the mount, as `/shop`. */
  mount: string
  /** The file that a filter is to filter (FCGI_DATA, section 6.4); undefined in other roles. */
  data: ReadableStream<Uint8Array> | undefined
  /** The request under the names of an http.IncomingMessage, where apps for `@hono/node-server` look (`c.env.incoming`). */
  incoming: Incoming
  /**
   * Takes work that goes on after the response: `server.close()` waits for it, within its deadline. A rejection goes
   * to the server's `onError`.
   */
  waitUntil(promise: PromiseLike<unknown>): void
  /** For apps written for Workers; does nothing, as there is no origin server to fall back on. */
  passThroughOnException(): void
  /** For apps written for Workers; always empty. */
  props: Readonly<Record<string, never>>
}

/** The facts of a request under the names of an http.IncomingMessage. It is not a stream: the body is the Request's. */
export interface Incoming {
  readonly socket: PeerAddress
  /** REQUEST_METHOD. */
  readonly method: string
  /** Path and query, as the client sent them. */
  readonly url: string
  /** Of SERVER_PROTOCOL: `'1.1'`, `'2.0'`. */
  readonly httpVersion: string
  /** Names in lower case; repeated headers are joined, `set-cookie` is a list. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Name, value, name, value …; names in lower case, as CGI does not keep their case. */
  readonly rawHeaders: string[]
}

/** The client's address under the names of a node:net socket. */
export interface PeerAddress {
  /** REMOTE_ADDR. */
  readonly remoteAddress: string | undefined
  /** REMOTE_PORT. */
  readonly remotePort: number | undefined
  readonly remoteFamily: 'IPv4' | 'IPv6' | undefined
  /** Only for HTTPS. */
  readonly encrypted?: true
}

/**
 * The context of one exchange. A proxy: own accessors would cost 1 µs a request, it costs 40 ns. Its target gets a
 * property when somebody asks for it.
 */
export function createContext(exchange: Exchange): FetchContext {
  return new Proxy(new ContextTarget(exchange), HANDLER) as unknown as FetchContext
}

const NO_PROPS: Readonly<Record<string, never>> = Object.freeze({})

function passThroughOnException(): void {}

// How each member is made.
const MEMBERS: { readonly [Name in keyof FetchContext]: (exchange: Exchange) => FetchContext[Name] } = {
  params: (exchange) => exchange.params,
  role: (exchange) => exchange.role,
  requestId: (exchange) => exchange.requestId,
  stderr: (exchange) => exchange.stderr,
  remoteAddress: (exchange) => exchange.remoteAddress,
  mount: (exchange) => exchange.mount,
  data: (exchange) => (exchange.role === 'filter' ? createBody(exchange.data) : undefined),
  // Datadog looks here for the request that it saw, to tell it the route (Hono).
  incoming: (exchange) => (incomingOf(exchange) as Incoming | undefined) ?? new ExchangeIncoming(exchange),
  waitUntil: (exchange) => (promise) => exchange.waitUntil(promise),
  passThroughOnException: () => passThroughOnException,
  props: () => NO_PROPS,
}
Object.setPrototypeOf(MEMBERS, null)
const NAMES = Object.keys(MEMBERS) as (keyof FetchContext)[]

type Key = string | symbol

class ContextTarget {
  readonly #exchange: Exchange
  #isComplete = false

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  /** Whether `key` is a member that was neither made nor assigned. */
  static lacks(target: ContextTarget, key: Key): key is keyof FetchContext {
    return !target.#isComplete && key in MEMBERS && !Object.hasOwn(target, key)
  }

  /** Makes a member, if it is one that is not there. */
  static make(target: ContextTarget, key: Key): void {
    if (ContextTarget.lacks(target, key)) {
      ;(target as unknown as Record<Key, unknown>)[key] = MEMBERS[key](target.#exchange)
    }
  }

  /** Makes all members. From then on a member that is not there was deleted. */
  static complete(target: ContextTarget): void {
    for (const name of NAMES) ContextTarget.make(target, name)
    target.#isComplete = true
  }

  // `inspect` shows a proxy's target, which may lack members.
  [inspect.custom](): object {
    return { ...this }
  }
}

const HANDLER: ProxyHandler<ContextTarget> = {
  get(target, key, receiver) {
    ContextTarget.make(target, key)
    return Reflect.get(target, key, receiver)
  },
  has(target, key) {
    return ContextTarget.lacks(target, key) || Reflect.has(target, key)
  },
  ownKeys(target) {
    return [...Reflect.ownKeys(target), ...NAMES.filter((name) => ContextTarget.lacks(target, name))]
  },
  getOwnPropertyDescriptor(target, key) {
    ContextTarget.make(target, key)
    return Reflect.getOwnPropertyDescriptor(target, key)
  },
  defineProperty(target, key, descriptor) {
    ContextTarget.make(target, key)
    return Reflect.defineProperty(target, key, descriptor)
  },
  deleteProperty(target, key) {
    ContextTarget.complete(target)
    return Reflect.deleteProperty(target, key)
  },
  preventExtensions(target) {
    ContextTarget.complete(target)
    return Reflect.preventExtensions(target)
  },
}

class ExchangeIncoming implements Incoming {
  readonly #exchange: Exchange
  readonly socket: PeerAddress
  #headers: Record<string, string | string[]> | undefined

  constructor(exchange: Exchange) {
    this.#exchange = exchange
    this.socket = new ExchangePeer(exchange)
  }

  get method(): string {
    return this.#exchange.method
  }

  get url(): string {
    return this.#exchange.target
  }

  get httpVersion(): string {
    const protocol = this.#exchange.param('SERVER_PROTOCOL') ?? ''
    return protocol.startsWith('HTTP/') ? protocol.slice('HTTP/'.length) : '1.1'
  }

  get headers(): Record<string, string | string[]> {
    this.#headers ??= joinHeaders(this.#exchange.headers)
    return this.#headers
  }

  get rawHeaders(): string[] {
    return [...this.#exchange.headers]
  }
}

// As node:http joins them.
function joinHeaders(list: readonly string[]): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {}
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i]!
    const value = list[i + 1]!
    const before = Object.hasOwn(headers, name) ? headers[name] : undefined
    if (before === undefined) {
      const first = name === 'set-cookie' ? [value] : value
      Object.defineProperty(headers, name, {
        value: first,
        writable: true,
        enumerable: true,
        configurable: true,
      })
    } else if (typeof before === 'string') {
      headers[name] = `${before}${name === 'cookie' ? '; ' : ', '}${value}`
    } else {
      before.push(value)
    }
  }
  return headers
}

class ExchangePeer implements PeerAddress {
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
  declare readonly encrypted?: true

  constructor(exchange: Exchange) {
    this.remoteAddress = exchange.remoteAddress
    this.remotePort = exchange.remotePort
    if (exchange.scheme === 'https') this.encrypted = true
  }

  get remoteFamily(): 'IPv4' | 'IPv6' | undefined {
    if (this.remoteAddress === undefined) return undefined
    return isIPv6(this.remoteAddress) ? 'IPv6' : 'IPv4'
  }
}
