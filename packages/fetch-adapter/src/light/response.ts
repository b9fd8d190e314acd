import { isUint8Array } from 'node:util/types'
import { hasHeader } from '../header-list.ts'
import { listHeaders } from '../response-like.ts'
import { markAsUncloneable } from './cloning.ts'
import { copyBytes } from './copies.ts'
import { HeadersState, lowerName, toNativeHeaders } from './headers.ts'
import {
  answerFrom,
  forwardMembers,
  LightClass,
  NativeHeaders,
  NativeResponse,
  replaceGlobalClass,
  withNameOf,
} from './native.ts'

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
      const native = new NativeResponse(
        // Text would bring a Content-Type with it, which the app may have taken out.
        typeof body === 'string' ? new TextEncoder().encode(body) : body,
        { status, statusText, headers: toNativeHeaders(this.listHeaders()) },
      )
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

// What stands for the class Response.
function Constructor(this: object, ...args: unknown[]): unknown {
  if (new.target === undefined) return Reflect.apply(NativeResponse, undefined, args)
  const isPlain = new.target === (Constructor as unknown) && args.length <= 2
  const state = isPlain ? readArguments(args[0], args[1], undefined) : undefined
  if (state === undefined) return Reflect.construct(NativeResponse, args, new.target)
  LIGHT_RESPONSES.adopt(this, state)
  markAsUncloneable(this)
  return this
}

// What stands for Response.json.
const { json } = {
  json(...args: [data: unknown, init?: ResponseInit]): Response {
    const text = args.length > 0 ? JSON.stringify(args[0]) : undefined
    const state = text === undefined ? undefined : readArguments(text, args[1], 'application/json')
    if (state === undefined) return NativeResponse.json(...args)
    const response = LIGHT_RESPONSES.create(state) as Response
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
  } else if (isUint8Array(body) && body.buffer instanceof ArrayBuffer) content = copyBytes(body)
  else return undefined

  if (init === undefined) {
    return new ResponseState(content, 200, '', contentType === undefined ? [] : ['content-type', contentType])
  }
  if (!isPlainObject(init)) return undefined
  const { status = 200, statusText = '', headers } = init as ResponseInit
  if (!Number.isInteger(status) || status < 200 || status > 599) return undefined
  if (statusText !== '' && (typeof statusText !== 'string' || !REASON.test(statusText))) return undefined
  if (content !== null && (status === 204 || status === 205 || status === 304)) return undefined
  const list = listOf(headers)
  if (list === undefined) return undefined
  if (contentType !== undefined && !hasHeader(list, 'content-type')) list.push('content-type', contentType)
  return new ResponseState(content, status, statusText, list)
}

function listOf(headers: unknown): string[] | undefined {
  if (headers === undefined) return []
  if (headers instanceof NativeHeaders) return listHeaders(headers)
  // Both together take half of the time of Reflect.ownKeys.
  if (!isPlainObject(headers) || Object.getOwnPropertySymbols(headers).length > 0) return undefined
  const list: string[] = []
  for (const key of Object.getOwnPropertyNames(headers)) {
    const name = lowerName(key)
    const value = (headers as Record<string, unknown>)[key]
    if (name === undefined || typeof value !== 'string' || !VALUE.test(value) || hasHeader(list, name)) {
      return undefined
    }
    list.push(name, value)
  }
  return list
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}
