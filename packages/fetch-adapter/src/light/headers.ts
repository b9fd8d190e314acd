import { hasHeader } from '../header-list.ts'
import { markAsUncloneable } from './cloning.ts'
import { forwardMembers, LightClass, NativeHeaders, overrideMethod } from './native.ts'

/** Headers that are a list as long as nobody changes them, or asks for more than one by its name. */
export class HeadersState {
  /** Name, value, name, value …; names in lower case. */
  readonly list: readonly string[]
  readonly #make: () => Headers
  #native: Headers | undefined
  #object: Headers | undefined

  /** `make` gives true headers that say what `list` says. */
  constructor(list: readonly string[], make: () => Headers) {
    this.list = list
    this.#make = make
  }

  /** What the app sees. */
  get object(): Headers {
    if (this.#object === undefined) {
      this.#object = LIGHT_HEADERS.create(this) as Headers
      if (areUncloneable) markAsUncloneable(this.#object)
    }
    return this.#object
  }

  /** The true headers, once there are some: they are what counts then. */
  get made(): Headers | undefined {
    return this.#native
  }

  /** The true headers, made if there are none. */
  get native(): Headers {
    this.#native ??= this.#make()
    return this.#native
  }

  set native(headers: Headers) {
    this.#native = headers
  }
}

const LIGHT_HEADERS = new LightClass<HeadersState>(NativeHeaders.prototype)

/** True headers of a flat list. */
export function toNativeHeaders(list: readonly string[]): Headers {
  const headers = new NativeHeaders()
  for (let i = 0; i < list.length; i += 2) headers.append(list[i]!, list[i + 1]!)
  return headers
}

function nativeHeadersOf(self: unknown): Headers | undefined {
  return LIGHT_HEADERS.stateOf(self)?.native
}

// Names as they are written, to the same in lower case. Bounded: an app may make up any number of names.
const lowerNames = new Map<string, string>()
const LOWER_NAMES_MAX = 500
const NAME = /^[a-z0-9-]+$/i

/** `name` in lower case; undefined where it is none, or an unusual one, which is the platform's to judge. */
export function lowerName(name: unknown): string | undefined {
  if (typeof name !== 'string') return undefined
  const known = lowerNames.get(name)
  if (known !== undefined) return known
  if (!NAME.test(name)) return undefined
  const lower = name.toLowerCase()
  if (lowerNames.size < LOWER_NAMES_MAX) lowerNames.set(name, lower)
  return lower
}

// Whether the platform's Headers are; those of undici 6 are not.
let areUncloneable = false

function checkCloning(): void {
  try {
    structuredClone(new NativeHeaders())
  } catch {
    areUncloneable = true
  }
}

/** Makes Headers work on light objects. */
export function overrideHeaders(): void {
  checkCloning()
  const { prototype } = NativeHeaders
  const { forEach, get, has } = prototype
  forwardMembers(prototype, nativeHeadersOf)
  answerByName('get', get, find)
  answerByName('has', has, hasHeader)
  overrideMethod(prototype, 'forEach', (self, args) => {
    const native = LIGHT_HEADERS.stateOf(self)?.native
    if (native === undefined) return Reflect.apply(forEach, self, args)
    const [callback] = args
    if (typeof callback !== 'function') return Reflect.apply(forEach, native, args)
    // The third argument is the object that the app has; `this` is what the platform makes of the second of forEach.
    const call = function (this: unknown, value: string, name: string): void {
      Reflect.apply(callback, this, [value, name, self])
    }
    return Reflect.apply(forEach, native, [call, ...args.slice(1)])
  })
}

// `answer` reads the list; what it is not asked is left to the platform's own method.
function answerByName(
  key: 'get' | 'has',
  original: (name: string) => unknown,
  answer: (list: readonly string[], name: string) => unknown,
): void {
  overrideMethod(NativeHeaders.prototype, key, (self, args) => {
    const state = LIGHT_HEADERS.stateOf(self)
    if (state === undefined) return Reflect.apply(original, self, args)
    const name = state.made === undefined ? lowerName(args[0]) : undefined
    return name === undefined ? Reflect.apply(original, state.native, args) : answer(state.list, name)
  })
}

// Repeated headers are joined as the platform joins them.
function find(list: readonly string[], name: string): string | null {
  let found: string | null = null
  for (let i = 0; i < list.length; i += 2) {
    if (list[i] !== name) continue
    const value = normalize(list[i + 1]!)
    found = found === null ? value : `${found}${name === 'cookie' ? '; ' : ', '}${value}`
  }
  return found
}

// Fetch section 2.2.2: a value has no blanks around it. A loop: a regular expression for both ends takes quadratic time for a
// value with many blanks inside, and values come from the client.
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
