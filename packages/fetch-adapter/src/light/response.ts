import { isUint8Array } from 'node:util/types'
import { hasHeader } from '../header-list.ts'
import { listHeaders } from '../response-like.ts'
import { markAsUncloneable } from './cloning.ts'
import { copyBytes } from './copies.ts'
import { HeadersState, toNativeHeaders } from './headers.ts'
import {
  answerFrom,
  forwardMembers,
  LightClass,
  NativeResponse,
  replaceGlobalClass,
  withNameOf,
} from './native.ts'
import { findOrder, type PlainInit, readInit } from './response-init.ts'

/** What of a Response is sent. */
export interface ResponseParts {
  readonly status: number
  readonly statusText: string
  /** Name, value, name, value …; names in lower case. */
  readonly headers: string[]
  /** Bytes are nobody else's, and may be given to `releaseCopy` once they are sent. */
  readonly body: string | Uint8Array | null
}

/** A Response of text, bytes or nothing, without a stream for its body. */
class ResponseState {
  readonly status: number
  readonly statusText: string
  body: string | Uint8Array | null
  readonly #list: readonly string[]
  #headers: HeadersState | undefined
  #native: Response | undefined
  /** The body was sent. */
  used = false

  constructor(body: string | Uint8Array | null, status: number, statusText: string, list: readonly string[]) {
    this.body = body
    this.status = status
    this.statusText = statusText
    this.#list = list
  }

  get headers(): Headers {
    if (this.#headers === undefined) {
      this.#headers = new HeadersState(this.#list, () => toNativeHeaders(this.#list))
      if (this.#native !== undefined) this.#headers.native = this.#native.headers
    }
    return this.#headers.object
  }

  /** The headers as they are by now. */
  listHeaders(): string[] {
    const changed = this.#headers?.made
    return changed === undefined ? [...this.#list] : listHeaders(changed)
  }

  /** The true Response, once there is one: it is what counts then. */
  get made(): Response | undefined {
    return this.#native
  }

  /** The true Response, made if there is none. */
  get native(): Response {
    if (this.#native === undefined) {
      const { status, statusText, body } = this
      const headers = toNativeHeaders(this.listHeaders())
      const native = new NativeResponse(body, { status, statusText, headers })
      // Text brings a Content-Type with it, which the app may have deleted.
      if (typeof body === 'string' && !headers.has('content-type')) native.headers.delete('content-type')
      if (this.#headers !== undefined) this.#headers.native = native.headers
      this.#native = native
      if (this.used) native.arrayBuffer().catch(() => {})
    }
    return this.#native
  }
}

const LIGHT_RESPONSES = new LightClass<ResponseState>(NativeResponse.prototype)

/**
 * Takes a light Response apart to send it, after which its body is used. Undefined for any other, and for one that
 * somebody has already asked for its stream.
 */
export function takeResponse(response: unknown): ResponseParts | undefined {
  const state = LIGHT_RESPONSES.stateOf(response)
  if (state === undefined || state.made !== undefined || state.used) return undefined
  const { status, statusText, body } = state
  if (body !== null) {
    state.used = true
    state.body = ''
  }
  return { status, statusText, body, headers: state.listHeaders() }
}

/** Makes `Response` give light objects where it can, and work on them. */
export function overrideResponse(): void {
  findOrder()
  const { prototype } = NativeResponse
  forwardMembers(prototype, (self) => LIGHT_RESPONSES.stateOf(self)?.native)
  override('status', (state) => state.status)
  override('statusText', (state) => state.statusText)
  override('ok', (state) => state.status <= 299)
  override('headers', (state) => state.headers)
  override('body', (state) => (state.body === null ? null : state.native.body))
  override('bodyUsed', (state) => state.made?.bodyUsed ?? state.used)

  replaceGlobalClass(Constructor, NativeResponse)
  Object.defineProperty(Constructor, 'json', {
    ...Object.getOwnPropertyDescriptor(NativeResponse, 'json'),
    value: withNameOf(json, NativeResponse.json),
  })
}

function override(key: keyof Response, read: (state: ResponseState) => unknown): void {
  answerFrom(LIGHT_RESPONSES, NativeResponse.prototype, key, read)
}

// The class Response that apps see. It is written as a property of that name: V8 shows the name in messages.
const { Response: Constructor } = {
  Response: function (this: object, ...args: unknown[]): unknown {
    if (new.target === undefined) return Reflect.apply(NativeResponse, undefined, args)
    const [body] = args
    if (new.target !== (Constructor as unknown) || args.length > 2 || !isPlainBody(body)) {
      return Reflect.construct(NativeResponse, args, new.target)
    }
    const init = readInit(args[1])
    const type = typeof body === 'string' ? TEXT : undefined
    if (init.unusual || !allowsBody(init, body)) return new NativeResponse(body, init.again)
    LIGHT_RESPONSES.adopt(this, stateOf(init, bodyOf(body), type))
    markAsUncloneable(this)
    return this
  },
}

// The Response.json that apps see. As the platform does, it reads `init` before `data`, and each of them once.
const { json } = {
  json(...args: unknown[]): Response {
    if (args.length === 0 || args[1] === null) {
      return Reflect.apply(NativeResponse.json, NativeResponse, args)
    }
    const init = readInit(args[1])
    if (init.unusual || !allowsBody(init, '')) return NativeResponse.json(args[0], init.again)
    const text = JSON.stringify(args[0])
    // The platform refuses data that has no JSON.
    if (text === undefined) return NativeResponse.json(undefined)
    const response = LIGHT_RESPONSES.create(stateOf(init, text, 'application/json')) as Response
    markAsUncloneable(response)
    return response
  },
}

const TEXT = 'text/plain;charset=UTF-8'

type PlainBody = string | Uint8Array | null | undefined

// Memory that may change its size, or was transferred, is the platform's to refuse. Transferred memory has the length 0. The buffer's
// length counts: optimized code of Node 20 and 22 gives the old length of an array.
function isPlainBody(body: unknown): body is PlainBody {
  if (body === undefined || body === null || typeof body === 'string') return true
  if (!isUint8Array(body)) return false
  const { buffer } = body
  return (
    buffer instanceof ArrayBuffer && buffer.byteLength > 0 && !(buffer as { resizable?: boolean }).resizable
  )
}

function bodyOf(body: PlainBody): string | Uint8Array | null {
  if (body === undefined || body === null) return null
  return typeof body === 'string' ? body : copyBytes(body)
}

function allowsBody({ status }: PlainInit, body: PlainBody): boolean {
  return body === undefined || body === null || (status !== 204 && status !== 205 && status !== 304)
}

function stateOf(init: PlainInit, body: string | Uint8Array | null, type: string | undefined): ResponseState {
  const { status, statusText, list } = init
  if (type !== undefined && !hasHeader(list, 'content-type')) list.push('content-type', type)
  return new ResponseState(body, status, statusText, list)
}
