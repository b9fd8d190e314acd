import { isAscii } from 'node:buffer'
import type { Exchange, Input } from '@fcgi-bridge/core'
import type { FetchContext } from '../request/context.ts'
import { defineServerMembers, type ServedRequest } from '../request/server-members.ts'
import { markAsUncloneable } from './cloning.ts'
import { HeadersState, toNativeHeaders } from './headers.ts'
import {
  forwardMembers,
  LightClass,
  NativeRequest,
  overrideMethod,
  readFromState,
  replaceGlobal,
  replaceGlobalClass,
  withNameOf,
} from './native.ts'

/** The state of a light Request. It reads from the exchange. */
class RequestState implements ServedRequest {
  readonly exchange: Exchange
  readonly context: FetchContext
  #url: string | undefined
  #headers: HeadersState | undefined
  #native: Request | undefined
  #used = false

  constructor(exchange: Exchange, context: FetchContext) {
    this.exchange = exchange
    this.context = context
  }

  /** The method. The case of some methods is normalized (Fetch section 2.2.1). */
  get method(): string {
    const { method } = this.exchange
    if (method === 'GET' || method === 'POST') return method
    return /^(?:delete|get|head|options|post|put)$/i.test(method) ? method.toUpperCase() : method
  }

  get url(): string {
    this.#url ??= plainUrl(this.exchange) ?? this.native.url
    return this.#url
  }

  get headers(): Headers {
    if (this.#headers === undefined) {
      this.#headers = new HeadersState(this.exchange.headers, () => this.native.headers)
      if (this.#native !== undefined) this.#headers.native = this.#native.headers
    }
    return this.#headers.object
  }

  get hasBody(): boolean {
    const { method } = this
    return method !== 'GET' && method !== 'HEAD'
  }

  get bodyUsed(): boolean {
    return this.#native?.bodyUsed ?? this.#used
  }

  /** The native Request, created on first use. From then on it has the state. */
  get native(): Request {
    if (this.#native === undefined) {
      this.#native = this.#used ? usedRequest(this.exchange) : this.exchange.request
      if (this.#headers !== undefined) this.#headers.native = this.#native.headers
    }
    return this.#native
  }

  /** Reads the body as text, without a stream. Undefined if the native Request has to read it, or to throw. */
  readText(): Promise<string> | undefined {
    if (this.#native !== undefined || this.#used || !this.hasBody) return undefined
    this.#used = true
    return readText(this.exchange.stdin)
  }
}

const LIGHT_REQUESTS = new LightClass<RequestState>(NativeRequest.prototype)

/** Creates a light Request. */
export function createLightRequest(exchange: Exchange, context: FetchContext): Request {
  const request = LIGHT_REQUESTS.create(new RequestState(exchange, context)) as Request
  markAsUncloneable(request)
  return request
}

/** Makes `fetch` and the members of Request accept light Requests. */
export function overrideRequest(): void {
  const { prototype } = NativeRequest
  const { text, json } = prototype
  forwardMembers(prototype, nativeRequestOf)
  override('method', (state) => state.method)
  override('url', (state) => state.url)
  override('headers', (state) => state.headers)
  override('signal', (state) => state.exchange.signal)
  override('body', (state) => (state.hasBody ? state.native.body : null))
  override('bodyUsed', (state) => state.bodyUsed)
  overrideMethod(prototype, 'text', (self) => {
    const state = LIGHT_REQUESTS.stateOf(self)
    return state === undefined ? text.call(self as Request) : (state.readText() ?? text.call(state.native))
  })
  overrideMethod(prototype, 'json', (self) => {
    const state = LIGHT_REQUESTS.stateOf(self)
    if (state === undefined) return json.call(self as Request)
    return state.readText()?.then(parseJson) ?? json.call(state.native)
  })
  // Last, because these members must not be forwarded to the native Request.
  defineServerMembers(prototype, (self) => {
    const state = LIGHT_REQUESTS.stateOf(self)
    // Like any member of Request, this one throws for another object.
    if (state === undefined) void Reflect.get(prototype, 'method', self)
    return state
  })

  replaceGlobalClass(Constructor, NativeRequest)
  const { fetch } = globalThis
  const holder = {
    fetch(...args: Parameters<typeof fetch>): Promise<Response> {
      return fetch(...withNative(args))
    },
  }
  replaceGlobal('fetch', withNameOf(holder.fetch, fetch))
}

function override(key: keyof Request, read: (state: RequestState) => unknown): void {
  readFromState(LIGHT_REQUESTS, NativeRequest.prototype, key, read)
}

function nativeRequestOf(self: unknown): Request | undefined {
  return LIGHT_REQUESTS.stateOf(self)?.native
}

// The first argument of `fetch` and `new Request` may be a light Request. The platform needs the native one.
function withNative<Args extends unknown[]>(args: Args): Args {
  const native = nativeRequestOf(args[0])
  if (native !== undefined) args[0] = native
  return args
}

// The global class Request. The function is a property called Request, because V8 shows that name in messages.
const { Request: Constructor } = {
  Request: function (...args: unknown[]): unknown {
    if (new.target === undefined) return Reflect.apply(NativeRequest, undefined, args)
    return Reflect.construct(NativeRequest, withNative(args), new.target)
  },
}

// A target without characters that a URL parser encodes (URL section 1.3).
const PLAIN_TARGET = /^\/[\w\-~!$&()*+,;=:@%./?]*$/
// A segment that a URL parser may resolve (URL section 4.4).
const DOT_SEGMENT = /\/(?:\.|%2e)/i

function plainUrl(exchange: Exchange): string | undefined {
  const { target } = exchange
  if (!PLAIN_TARGET.test(target) || DOT_SEGMENT.test(target)) return undefined
  return originOf(exchange.scheme, exchange.authority) + target
}

// A server has few names, and most requests have the same name as the one before.
let lastScheme = ''
let lastAuthority = ''
let lastOrigin = ''

function originOf(scheme: string, authority: string): string {
  if (scheme !== lastScheme || authority !== lastAuthority) {
    lastOrigin = new URL(`${scheme}://${authority}`).origin
    lastScheme = scheme
    lastAuthority = authority
  }
  return lastOrigin
}

// A native Request whose body was read, for use after the body of a light Request was read.
function usedRequest(exchange: Exchange): Request {
  const { url, method, signal } = exchange
  const headers = toNativeHeaders(exchange.headers)
  const request = new NativeRequest(url, { method, headers, signal, body: new Uint8Array() })
  request.arrayBuffer().catch(() => {})
  return request
}

async function parseJson(text: string): Promise<unknown> {
  return JSON.parse(text)
}

function readText(stdin: Input): Promise<string> {
  const first = stdin.read()
  // A small body has arrived together with its request, in one piece.
  if (first !== null && stdin.ended) return Promise.resolve(decode(first))
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = first === null ? [] : [first]
    const read = (): void => {
      for (let chunk = stdin.read(); chunk !== null; chunk = stdin.read()) chunks.push(chunk)
      if (stdin.ended) resolve(decode(Buffer.concat(chunks)))
      else if (stdin.error !== undefined) reject(stdin.error)
      else return
      stdin.onReadable = undefined
    }
    stdin.onReadable = read
    read()
  })
}

const decoder = new TextDecoder()

// Decodes UTF-8 as Fetch does: removes a byte order mark, and replaces invalid bytes with U+FFFD.
function decode(bytes: Buffer): string {
  return isAscii(bytes) ? bytes.toString('latin1') : decoder.decode(bytes)
}
