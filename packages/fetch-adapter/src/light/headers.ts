import { forwardMembers, type Light, NativeHeaders, overrideMethod, STATE } from './native.ts'

/** Headers that are a list as long as nobody changes them, or asks for more than one by its name. */
export class HeadersState {
  /** Name, value, name, value …; names in lower case. */
  readonly list: readonly string[]
  readonly #make: () => Headers
  #native: Headers | undefined

  /** `make` gives true headers that say what `list` says. */
  constructor(list: readonly string[], make: () => Headers) {
    this.list = list
    this.#make = make
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

  /** The list, or what has become of it. */
  get current(): readonly string[] {
    return this.#native === undefined ? this.list : [...this.#native].flat()
  }
}

type LightHeaders = Light<HeadersState>

/** Makes a Headers object of a state. */
export const createLightHeaders: (state: HeadersState) => Headers = (() => {
  function Headers(this: { [STATE]: HeadersState }, state: HeadersState): void {
    this[STATE] = state
  }
  Headers.prototype = NativeHeaders.prototype
  const Constructor = Headers as unknown as new (state: HeadersState) => Headers
  return (state) => new Constructor(state)
})()

/** True headers of a flat list. */
export function toNativeHeaders(list: readonly string[]): Headers {
  const headers = new NativeHeaders()
  for (let i = 0; i < list.length; i += 2) headers.append(list[i]!, list[i + 1]!)
  return headers
}

/** The platform's object behind light headers; undefined for what is none. */
export function nativeHeadersOf(self: unknown): Headers | undefined {
  return (self as LightHeaders)[STATE]?.native
}

// By name as it is written: in lower case. Bounded, since an app may make names up.
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

/** Makes Headers work on light objects. */
export function overrideHeaders(): void {
  const { prototype } = NativeHeaders
  const { get, has } = prototype
  forwardMembers(prototype, nativeHeadersOf)
  overrideMethod(prototype, 'get', (self, args) => {
    const state = (self as LightHeaders)[STATE]
    if (state === undefined) return Reflect.apply(get, self, args)
    const name = state.made === undefined ? lowerName(args[0]) : undefined
    return name === undefined ? Reflect.apply(get, state.native, args) : find(state.list, name)
  })
  overrideMethod(prototype, 'has', (self, args) => {
    const state = (self as LightHeaders)[STATE]
    if (state === undefined) return Reflect.apply(has, self, args)
    const name = state.made === undefined ? lowerName(args[0]) : undefined
    return name === undefined ? Reflect.apply(has, state.native, args) : find(state.list, name) !== null
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

// Fetch section 2.2.2: blanks around a value are no part of it.
function normalize(value: string): string {
  return /^[\t ]|[\t ]$/.test(value) ? value.replace(/^[\t ]+|[\t ]+$/g, '') : value
}
