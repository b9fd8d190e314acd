import { isUint8Array } from 'node:util/types'
import { markAsUncloneable } from './cloning.ts'
import { createLightHeaders, HeadersState, lowerName, nativeHeadersOf, toNativeHeaders } from './headers.ts'
import {
  forwardMembers,
  type Light,
  NativeHeaders,
  NativeResponse,
  overrideGetter,
  replaceGlobalClass,
  STATE,
  withNameOf,
} from './native.ts'

/** What of a Response is sent. */
export interface ResponseParts {
  readonly status: number
  readonly statusText: string
  /** Name, value, name, value …; names in lower case. */
  readonly headers: string[]
  readonly body: string | Uint8Array | null
}

/** A Response of text, bytes or nothing, without a stream for its body. */
class ResponseState {
  readonly status: number
  readonly statusText: string
  readonly body: string | Uint8Array | null
  readonly headers: HeadersState
  #headersObject: Headers | undefined
  #native: Response | undefined
  /** The body was sent. */
  used = false

  constructor(body: string | Uint8Array | null, status: number, statusText: string, list: readonly string[]) {
    this.body = body
    this.status = status
    this.statusText = statusText
    this.headers = new HeadersState(list, () => toNativeHeaders(list))
  }

  get headersObject(): Headers {
    this.#headersObject ??= createLightHeaders(this.headers)
    return this.#headersObject
  }

  /** The true Response, once there is one: it is what counts then. */
  get made(): Response | undefined {
    return this.#native
  }

  /** The true Response, made if there is none. */
  get native(): Response {
    if (this.#native === undefined) {
      const { status, statusText, headers, body } = this
      const native = new NativeResponse(
        // Text would bring a Content-Type with it, which the app may have taken out.
        typeof body === 'string' ? new TextEncoder().encode(body) : body,
        { status, statusText, headers: toNativeHeaders(headers.current) },
      )
      headers.native = native.headers
      this.#native = native
      if (this.used) native.arrayBuffer().catch(() => {})
    }
    return this.#native
  }
}

type LightResponse = Light<ResponseState>

/**
 * Takes a light Response apart to send it, after which its body is used. Undefined for any other, and for one that
 * somebody has already asked for its stream.
 */
export function takeResponse(response: unknown): ResponseParts | undefined {
  const state = (response as LightResponse | null | undefined)?.[STATE]
  if (!(state instanceof ResponseState) || state.made !== undefined || state.used) return undefined
  state.used = state.body !== null
  const { status, statusText, body, headers } = state
  return { status, statusText, body, headers: [...headers.current] }
}

/** Makes `Response` give light objects where it can, and work on them. */
export function overrideResponse(): void {
  const { prototype } = NativeResponse
  forwardMembers(prototype, (self) => (self as LightResponse)[STATE]?.native)
  override('status', (state) => state.status)
  override('statusText', (state) => state.statusText)
  override('ok', (state) => state.status <= 299)
  override('headers', (state) => state.headersObject)
  override('body', (state) => (state.body === null ? null : state.native.body))
  override('bodyUsed', (state) => state.made?.bodyUsed ?? state.used)

  replaceGlobalClass(Constructor, NativeResponse)
  Object.defineProperty(Constructor, 'json', {
    ...Object.getOwnPropertyDescriptor(NativeResponse, 'json'),
    value: withNameOf(json, NativeResponse.json),
  })
}

function override(key: keyof Response, read: (state: ResponseState) => unknown): void {
  const { get } = Object.getOwnPropertyDescriptor(NativeResponse.prototype, key)!
  overrideGetter(NativeResponse.prototype, key, (self) => {
    const state = (self as LightResponse)[STATE]
    return state === undefined ? get!.call(self) : read(state)
  })
}

// What stands for the class Response.
function Constructor(this: { [STATE]: ResponseState }, ...args: unknown[]): unknown {
  if (new.target === undefined) return Reflect.apply(NativeResponse, undefined, args)
  const isPlain = new.target === (Constructor as unknown) && args.length <= 2
  const state = isPlain ? readArguments(args[0], args[1], undefined) : undefined
  if (state === undefined) return Reflect.construct(NativeResponse, args, new.target)
  this[STATE] = state
  markAsUncloneable(this)
  return this
}

// What stands for Response.json.
const { json } = {
  json(...args: [data: unknown, init?: ResponseInit]): Response {
    const text = args.length > 0 ? JSON.stringify(args[0]) : undefined
    const state = text === undefined ? undefined : readArguments(text, args[1], 'application/json')
    if (state === undefined) return NativeResponse.json(...args)
    const response = Object.create(NativeResponse.prototype)
    response[STATE] = state
    markAsUncloneable(response)
    return response
  },
}

const TEXT = 'text/plain;charset=UTF-8'
// What Fetch takes, and changes nothing of.
const REASON = /^[\t\x20-\x7e]*$/
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/

/**
 * The state of `new Response(body, init)`, for what is plain and beyond doubt. Undefined for all else, which is the
 * platform's to make, or to refuse.
 */
function readArguments(body: unknown, init: unknown, type: string | undefined): ResponseState | undefined {
  let content: string | Uint8Array | null
  let contentType = type
  if (body === undefined || body === null) content = null
  else if (typeof body === 'string') {
    content = body
    contentType ??= TEXT
  } else if (isUint8Array(body) && body.buffer instanceof ArrayBuffer) content = new Uint8Array(body)
  else return undefined

  if (init === undefined) {
    return new ResponseState(content, 200, '', contentType === undefined ? [] : ['content-type', contentType])
  }
  if (!isPlainObject(init)) return undefined
  const { status = 200, statusText = '', headers } = init as ResponseInit
  if (!Number.isInteger(status) || status < 200 || status > 599) return undefined
  if (typeof statusText !== 'string' || !REASON.test(statusText)) return undefined
  if (content !== null && (status === 204 || status === 205 || status === 304)) return undefined
  const list = listOf(headers)
  if (list === undefined) return undefined
  if (contentType !== undefined && !hasName(list, 'content-type')) list.push('content-type', contentType)
  return new ResponseState(content, status, statusText, list)
}

function listOf(headers: unknown): string[] | undefined {
  if (headers === undefined) return []
  if (headers instanceof NativeHeaders) return [...(nativeHeadersOf(headers) ?? headers)].flat()
  if (!isPlainObject(headers)) return undefined
  const list: string[] = []
  for (const key of Reflect.ownKeys(headers)) {
    const name = lowerName(key)
    const value = (headers as Record<PropertyKey, unknown>)[key]
    if (name === undefined || typeof value !== 'string' || !VALUE.test(value) || hasName(list, name)) {
      return undefined
    }
    list.push(name, value)
  }
  return list
}

function hasName(list: readonly string[], name: string): boolean {
  for (let i = 0; i < list.length; i += 2) {
    if (list[i] === name) return true
  }
  return false
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}
