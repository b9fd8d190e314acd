import { isProxy, isUint8Array } from 'node:util/types'
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
// What Fetch takes, and changes nothing of.
const REASON = /^[\t\x20-\x7e]*$/
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/

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

/** What a ResponseInit says, if that is plain and beyond doubt. */
interface PlainInit {
  readonly unusual: false
  readonly status: number
  readonly statusText: string
  readonly list: string[]
  /** For the platform: it says the same. */
  readonly again: ResponseInit
}

/** A ResponseInit that is for the platform to read, or to refuse. */
interface UnusualInit {
  readonly unusual: true
  /** Has the values of members that were read, so that none is read twice. */
  readonly again: ResponseInit
}

const NO_INIT: ResponseInit = {}

// Whether the platform reads `headers` before `status` and `statusText`: undici 8 does, as Web IDL has it, older ones do not.
let readsHeadersFirst = false

function findOrder(): void {
  const names: string[] = []
  const note = (name: string): undefined => void names.push(name)
  new NativeResponse(null, {
    get headers() {
      return note('headers')
    },
    get status() {
      return note('status')
    },
  } as unknown as ResponseInit)
  readsHeadersFirst = names[0] === 'headers'
}

function readInit(init: unknown): PlainInit | UnusualInit {
  if (init === undefined) return { unusual: false, status: 200, statusText: '', list: [], again: NO_INIT }
  if (!isPlainObject(init)) return unusual(init)
  const given = init as ResponseInit
  let headers = readsHeadersFirst ? readHeaders(given.headers) : undefined
  if (headers !== undefined && headers.list === undefined) return partlyUnusual(given, headers)
  const { status = 200 } = given
  if (!Number.isInteger(status) || status < 200 || status > 599) return partlyUnusual(given, headers, status)
  const { statusText = '' } = given
  if (statusText !== '' && (typeof statusText !== 'string' || !REASON.test(statusText))) {
    return partlyUnusual(given, headers, status, statusText)
  }
  headers ??= readHeaders(given.headers)
  const { list, again } = headers
  if (list === undefined) return partlyUnusual(given, headers, status, statusText)
  return {
    unusual: false,
    status,
    statusText,
    list,
    again: { status, statusText, headers: again as HeadersOf },
  }
}

type HeadersOf = NonNullable<ResponseInit['headers']>

// An init with what was read; the other members are read when the platform asks for them.
function partlyUnusual(given: ResponseInit, headers?: ReadHeaders, ...read: unknown[]): UnusualInit {
  const again = {}
  const define = (name: keyof ResponseInit, isRead: boolean, value: unknown): void => {
    const descriptor = isRead ? { value } : { get: () => given[name] }
    Object.defineProperty(again, name, { ...descriptor, enumerable: true })
  }
  define('headers', headers !== undefined, headers?.again)
  define('status', read.length > 0, read[0])
  define('statusText', read.length > 1, read[1])
  return unusual(again)
}

function unusual(again: unknown): UnusualInit {
  return { unusual: true, again: again as ResponseInit }
}

interface ReadHeaders {
  /** Undefined if the platform has to read the headers, or to refuse them. */
  readonly list: string[] | undefined
  /** Headers that say the same to the platform, without reading a value twice. */
  readonly again: unknown
}

function readHeaders(headers: unknown): ReadHeaders {
  if (headers === undefined) return { list: [], again: undefined }
  if (headers instanceof NativeHeaders) return { list: listHeaders(headers), again: headers }
  // Both together take half of the time of Reflect.ownKeys.
  if (!isPlainObject(headers) || Object.getOwnPropertySymbols(headers).length > 0) {
    return { list: undefined, again: headers }
  }
  const given = headers as Record<string, unknown>
  const names = Object.getOwnPropertyNames(given)
  const list: string[] = []
  let isPlain = true
  for (let i = 0; i < names.length; i++) {
    const key = names[i]!
    const name = lowerName(key)
    // The platform may refuse the name before it reads the value.
    if (name === undefined) return { list: undefined, again: partlyRead(given, names, list, i) }
    const value = given[key]
    if (typeof value !== 'string') return { list: undefined, again: partlyRead(given, names, list, i, value) }
    if (isPlain && (!VALUE.test(value) || hasHeader(list, name))) isPlain = false
    list.push(name, value)
  }
  if (isPlain) return { list, again: headers }
  return { list: undefined, again: partlyRead(given, names, list, names.length) }
}

// Headers with the values that were read: those of `list`, and `value` if it is given. The others are read when somebody asks.
function partlyRead(
  given: Record<string, unknown>,
  names: readonly string[],
  list: readonly string[],
  read: number,
  ...value: unknown[]
): object {
  const again = {}
  names.forEach((key, i) => {
    const descriptor =
      i < read
        ? { value: list[2 * i + 1] }
        : i === read && value.length > 0
          ? { value: value[0] }
          : { get: () => given[key] }
    Object.defineProperty(again, key, { ...descriptor, enumerable: true, configurable: true })
  })
  return again
}

function isPlainObject(value: unknown): value is object {
  return (
    typeof value === 'object' &&
    value !== null &&
    !isProxy(value) &&
    Object.getPrototypeOf(value) === Object.prototype
  )
}
