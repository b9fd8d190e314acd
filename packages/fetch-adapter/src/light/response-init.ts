import { isProxy } from 'node:util/types'
import { hasHeader } from '../header-list.ts'
import { listHeaders } from '../response-like.ts'
import { lowerName } from './headers.ts'
import { NativeHeaders, NativeResponse } from './native.ts'

// Reason phrases and header values that Fetch accepts and does not change.
const REASON = /^[\t\x20-\x7e]*$/
const VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/

/** What a ResponseInit says, if that is plain and beyond doubt. */
export interface PlainInit {
  readonly unusual: false
  readonly status: number
  readonly statusText: string
  readonly list: string[]
  /** For the platform: it says the same. */
  readonly again: ResponseInit
}

/** A ResponseInit that is for the platform to read, or to refuse. */
export interface UnusualInit {
  readonly unusual: true
  /** Has the values of members that were read, so that none is read twice. */
  readonly again: ResponseInit
}

const NO_INIT: ResponseInit = {}

// Whether the platform reads `headers` before `status` and `statusText`: undici 8 does, as Web IDL has it, older ones do not.
let readsHeadersFirst = false

/** Finds out in which order the platform reads a ResponseInit. */
export function findOrder(): void {
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

/** Reads a ResponseInit, each member once. */
export function readInit(init: unknown): PlainInit | UnusualInit {
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
