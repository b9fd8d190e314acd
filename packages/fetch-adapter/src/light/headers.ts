import { hasHeader } from '../header-list.ts'
import { markAsUncloneable } from './cloning.ts'
import { forwardMembers, LightClass, NativeHeaders, overrideMethod } from './native.ts'

/**
 * The state of light Headers: a list. The native Headers are created, and replace the list, when the app changes the headers or uses a
 * method other than `get` and `has`.
 */
export class HeadersState {
  /** Name, value, name, value … Names are in lower case. */
  readonly list: readonly string[]
  readonly #make: () => Headers
  #native: Headers | undefined
  #object: Headers | undefined

  /** `make` creates native Headers with the content of `list`. */
  constructor(list: readonly string[], make: () => Headers) {
    this.list = list
    this.#make = make
  }

  /** The light Headers object that the app gets. */
  get object(): Headers {
    if (this.#object === undefined) {
      this.#object = LIGHT_HEADERS.create(this) as Headers
      if (areUncloneable) markAsUncloneable(this.#object)
    }
    return this.#object
  }

  /** The native Headers if they exist. Then they are up to date, and the list may not be. */
  get existingNative(): Headers | undefined {
    return this.#native
  }

  /** The native Headers, created on first use. */
  get native(): Headers {
    this.#native ??= this.#make()
    return this.#native
  }

  set native(headers: Headers) {
    this.#native = headers
  }
}

const LIGHT_HEADERS = new LightClass<HeadersState>(NativeHeaders.prototype)

/** Creates native Headers from a flat list. */
export function toNativeHeaders(list: readonly string[]): Headers {
  const headers = new NativeHeaders()
  for (let i = 0; i < list.length; i += 2) headers.append(list[i]!, list[i + 1]!)
  return headers
}

function nativeHeadersOf(self: unknown): Headers | undefined {
  return LIGHT_HEADERS.stateOf(self)?.native
}

// Names as the app writes them, mapped to lower case. The size is limited, because an app may invent any number of names.
const lowerNames = new Map<string, string>()
const LOWER_NAMES_MAX = 500
const NAME = /^[a-z0-9-]+$/i

/** Returns `name` in lower case. Undefined for an invalid or unusual name, which the platform must check. */
export function lowerName(name: unknown): string | undefined {
  if (typeof name !== 'string') return undefined
  const known = lowerNames.get(name)
  if (known !== undefined) return known
  if (!NAME.test(name)) return undefined
  const lower = name.toLowerCase()
  if (lowerNames.size < LOWER_NAMES_MAX) lowerNames.set(name, lower)
  return lower
}

// Whether native Headers cannot be cloned. Those of undici 6 can.
let areUncloneable = false

function checkCloning(): void {
  try {
    structuredClone(new NativeHeaders())
  } catch {
    areUncloneable = true
  }
}

/** Makes the methods of Headers work on light Headers. */
export function overrideHeaders(): void {
  checkCloning()
  const { prototype } = NativeHeaders
  const { forEach, get, has } = prototype
  forwardMembers(prototype, nativeHeadersOf)
  readListByName('get', get, joinValues)
  readListByName('has', has, hasHeader)
  overrideMethod(prototype, 'forEach', (self, args) => {
    const native = LIGHT_HEADERS.stateOf(self)?.native
    if (native === undefined) return Reflect.apply(forEach, self, args)
    const [callback] = args
    if (typeof callback !== 'function') return Reflect.apply(forEach, native, args)
    // The third argument of the callback must be the object that the app has. `this` is set by the platform from the second argument of
    // forEach.
    const call = function (this: unknown, value: string, name: string): void {
      Reflect.apply(callback, this, [value, name, self])
    }
    return Reflect.apply(forEach, native, [call, ...args.slice(1)])
  })
}

// Replaces a method that takes one name: `read` gets the list. The platform's method handles native Headers and unusual names.
function readListByName(
  key: 'get' | 'has',
  original: (name: string) => unknown,
  read: (list: readonly string[], name: string) => unknown,
): void {
  overrideMethod(NativeHeaders.prototype, key, (self, args) => {
    const state = LIGHT_HEADERS.stateOf(self)
    if (state === undefined) return Reflect.apply(original, self, args)
    const name = state.existingNative === undefined ? lowerName(args[0]) : undefined
    return name === undefined ? Reflect.apply(original, state.native, args) : read(state.list, name)
  })
}

// Joins repeated headers, as the platform does.
function joinValues(list: readonly string[], name: string): string | null {
  let found: string | null = null
  for (let i = 0; i < list.length; i += 2) {
    if (list[i] !== name) continue
    const value = normalize(list[i + 1]!)
    found = found === null ? value : `${found}${name === 'cookie' ? '; ' : ', '}${value}`
  }
  return found
}

// Removes blanks around a value (Fetch section 2.2.2). A loop, because values come from the client, and a regular expression for both ends
// takes quadratic time for a value with many blanks inside.
function normalize(value: string): string {
  let start = 0
  let end = value.length
  while (start < end && isBlank(value.charCodeAt(start))) start++
  while (end > start && isBlank(value.charCodeAt(end - 1))) end--
  return value.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}
