import { isUint8Array } from 'node:util/types'
import { hasHeader } from '../header-list.ts'
import { listHeaders } from '../response-like.ts'
import { markAsUncloneable } from './cloning.ts'
import { copyBytes } from './copies.ts'
import { HeadersState, toNativeHeaders } from './headers.ts'
import {
  forwardMembers,
  LightClass,
  NativeResponse,
  readFromState,
  replaceGlobalClass,
  withNameOf,
} from './native.ts'
import { detectReadOrder, type PlainInit, readInit } from './response-init.ts'

/** The parts of a Response that are sent. */
export interface ResponseParts {
  readonly status: number
  /** The status text. */
  readonly reason: string
  /** Name, value, name, value … Names are in lower case. */
  readonly headers: string[]
  /** No other code refers to these bytes. They can be passed to `releaseCopy` when they have been sent. */
  readonly body: string | Uint8Array | null
}

/** The state of a light Response, whose body is text, bytes or null. */
class ResponseState {
  readonly status: number
  readonly statusText: string
  body: string | Uint8Array | null
  readonly #list: readonly string[]
  #headers: HeadersState | undefined
  #native: Response | undefined
  /** True if the body was sent. */
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

  /** Returns the current headers. */
  listHeaders(): string[] {
    const native = this.#headers?.existingNative
    return native === undefined ? [...this.#list] : listHeaders(native)
  }

  /** The native Response if it exists. Then it has the state. */
  get existingNative(): Response | undefined {
    return this.#native
  }

  /** The native Response, created on first use. */
  get native(): Response {
    if (this.#native === undefined) {
      const { status, statusText, body } = this
      const headers = toNativeHeaders(this.listHeaders())
      const native = new NativeResponse(body, { status, statusText, headers })
      // The constructor adds a Content-Type for text. The app may have deleted it.
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
 * Returns the parts of a light Response, to send them. Its body counts as used afterwards. Undefined for any other Response, for one whose
 * body was used before, and for one whose native Response exists, because the app may read its stream.
 */
export function takeResponse(response: unknown): ResponseParts | undefined {
  const state = LIGHT_RESPONSES.stateOf(response)
  if (state === undefined || state.existingNative !== undefined || state.used) return undefined
  const { status, statusText, body } = state
  if (body !== null) {
    state.used = true
    state.body = ''
  }
  return { status, reason: statusText, body, headers: state.listHeaders() }
}

/** Makes `Response` create light objects if possible, and makes its members accept them. */
export function overrideResponse(): void {
  detectReadOrder()
  const { prototype } = NativeResponse
  forwardMembers(prototype, (self) => LIGHT_RESPONSES.stateOf(self)?.native)
  override('status', (state) => state.status)
  override('statusText', (state) => state.statusText)
  override('ok', (state) => state.status <= 299)
  override('headers', (state) => state.headers)
  override('body', (state) => (state.body === null ? null : state.native.body))
  override('bodyUsed', (state) => state.existingNative?.bodyUsed ?? state.used)

  replaceGlobalClass(Constructor, NativeResponse)
  Object.defineProperty(Constructor, 'json', {
    ...Object.getOwnPropertyDescriptor(NativeResponse, 'json'),
    value: withNameOf(json, NativeResponse.json),
  })
}

function override(key: keyof Response, read: (state: ResponseState) => unknown): void {
  readFromState(LIGHT_RESPONSES, NativeResponse.prototype, key, read)
}

// The global class Response. The function is a property called Response, because V8 shows that name in messages.
const { Response: Constructor } = {
  Response: function (this: object, ...args: unknown[]): unknown {
    if (new.target === undefined) return Reflect.apply(NativeResponse, undefined, args)
    const [body] = args
    if (new.target !== (Constructor as unknown) || args.length > 2 || !isPlainBody(body)) {
      return Reflect.construct(NativeResponse, args, new.target)
    }
    const init = readInit(args[1])
    const type = typeof body === 'string' ? TEXT : undefined
    if (init.unusual || !allowsBody(init, body)) return new NativeResponse(body, init.forPlatform)
    LIGHT_RESPONSES.adopt(this, stateOf(init, bodyOf(body), type))
    markAsUncloneable(this)
    return this
  },
}

// The global Response.json. Like the platform's, it reads `init` before `data`, and each of them once.
const { json } = {
  json(...args: unknown[]): Response {
    if (args.length === 0 || args[1] === null) {
      return Reflect.apply(NativeResponse.json, NativeResponse, args)
    }
    const init = readInit(args[1])
    if (init.unusual || !allowsBody(init, '')) return NativeResponse.json(args[0], init.forPlatform)
    const text = JSON.stringify(args[0])
    // The platform throws for data that JSON cannot represent.
    if (text === undefined) return NativeResponse.json(undefined)
    const response = LIGHT_RESPONSES.create(stateOf(init, text, 'application/json')) as Response
    markAsUncloneable(response)
    return response
  },
}

const TEXT = 'text/plain;charset=UTF-8'

type PlainBody = string | Uint8Array | null | undefined

// The platform must handle resizable and transferred memory. A transferred buffer has the length 0. Check the length of the buffer, not of the
// array: optimized code of Node 20 and 22 returns the old length of the array.
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
  if (type === undefined || hasHeader(list, 'content-type'))
    return new ResponseState(body, status, statusText, list)
  // An empty array that grows reserves space for 17 values.
  if (list.length === 0) return new ResponseState(body, status, statusText, ['content-type', type])
  list.push('content-type', type)
  return new ResponseState(body, status, statusText, list)
}
