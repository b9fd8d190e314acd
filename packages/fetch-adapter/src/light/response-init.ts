import { isProxy } from 'node:util/types'
import { hasHeader } from '../header-list.ts'
import { listHeaders } from '../response-like.ts'
import { lowerName } from './headers.ts'
import { NativeHeaders, NativeResponse } from './native.ts'

// Reason phrases and header values that Fetch accepts and does not change.
const REASON = /^[\t\x20-\x7e]*$/
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/

/** The content of a ResponseInit that the platform would accept without changes. */
export class PlainInit {
  readonly unusual = false
  readonly status: number
  readonly statusText: string
  readonly list: string[]
  readonly #headers: HeadersOf | undefined

  constructor(status: number, statusText: string, list: string[], headers: HeadersOf | undefined) {
    this.status = status
    this.statusText = statusText
    this.list = list
    this.#headers = headers
  }

  /** An init with the same content, for the platform. */
  get forPlatform(): ResponseInit {
    const { status, statusText } = this
    return this.#headers === undefined
      ? { status, statusText }
      : { status, statusText, headers: this.#headers }
  }
}

type HeadersOf = NonNullable<ResponseInit['headers']>

/** A ResponseInit that only the platform can read, or refuse. */
export interface UnusualInit {
  readonly unusual: true
  /** The init for the platform. It has the values of members that were already read, so that none is read twice. */
  readonly forPlatform: ResponseInit
}

// Whether the platform reads `headers` before `status` and `statusText`. undici 8 does, as Web IDL requires. Older versions do not.
let readsHeadersFirst = false

/** Detects the order in which the platform reads the members of a ResponseInit. */
export function detectReadOrder(): void {
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

/** Reads each member of a ResponseInit once. */
export function readInit(init: unknown): PlainInit | UnusualInit {
  if (init === undefined) return new PlainInit(200, '', [], undefined)
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
  const { list, forPlatform } = headers
  if (list === undefined) return partlyUnusual(given, headers, status, statusText)
  return new PlainInit(status, statusText, list, forPlatform as HeadersOf | undefined)
}

// Returns an init with the values that were already read. The other members are read when the platform reads them.
function partlyUnusual(given: ResponseInit, headers?: ReadHeaders, ...read: unknown[]): UnusualInit {
  const forPlatform = {}
  const define = (name: keyof ResponseInit, isRead: boolean, value: unknown): void => {
    const descriptor = isRead ? { value } : { get: () => given[name] }
    Object.defineProperty(forPlatform, name, { ...descriptor, enumerable: true })
  }
  define('headers', headers !== undefined, headers?.forPlatform)
  define('status', read.length > 0, read[0])
  define('statusText', read.length > 1, read[1])
  return unusual(forPlatform)
}

function unusual(forPlatform: unknown): UnusualInit {
  return { unusual: true, forPlatform: forPlatform as ResponseInit }
}

interface ReadHeaders {
  /** Name, value, name, value … Undefined if only the platform can read the headers, or refuse them. */
  readonly list: string[] | undefined
  /** The headers for the platform. They have the values that were already read, so that none is read twice. */
  readonly forPlatform: unknown
}

function readHeaders(headers: unknown): ReadHeaders {
  if (headers === undefined) return { list: [], forPlatform: undefined }
  if (headers instanceof NativeHeaders) return { list: listHeaders(headers), forPlatform: headers }
  // getOwnPropertySymbols and getOwnPropertyNames together take half of the time of Reflect.ownKeys.
  if (!isPlainObject(headers) || Object.getOwnPropertySymbols(headers).length > 0) {
    return { list: undefined, forPlatform: headers }
  }
  const given = headers as Record<string, unknown>
  const names = Object.getOwnPropertyNames(given)
  const list: string[] = []
  let isPlain = true
  for (let i = 0; i < names.length; i++) {
    const key = names[i]!
    const name = lowerName(key)
    // The platform may throw for the name before it reads the value.
    if (name === undefined) return { list: undefined, forPlatform: partlyRead(given, names, list, i) }
    const value = given[key]
    if (typeof value !== 'string')
      return { list: undefined, forPlatform: partlyRead(given, names, list, i, value) }
    if (isPlain && (!VALUE.test(value) || hasHeader(list, name))) isPlain = false
    list.push(name, value)
  }
  if (isPlain) return { list, forPlatform: headers }
  return { list: undefined, forPlatform: partlyRead(given, names, list, names.length) }
}

// Returns headers with the values that were already read: those of `list`, and `value` if there is one. The others are read when the
// platform reads them.
function partlyRead(
  given: Record<string, unknown>,
  names: readonly string[],
  list: readonly string[],
  read: number,
  ...value: unknown[]
): object {
  const forPlatform = {}
  names.forEach((key, i) => {
    const descriptor =
      i < read
        ? { value: list[2 * i + 1] }
        : i === read && value.length > 0
          ? { value: value[0] }
          : { get: () => given[key] }
    Object.defineProperty(forPlatform, key, { ...descriptor, enumerable: true, configurable: true })
  })
  return forPlatform
}

function isPlainObject(value: unknown): value is object {
  return (
    typeof value === 'object' &&
    value !== null &&
    !isProxy(value) &&
    Object.getPrototypeOf(value) === Object.prototype
  )
}
