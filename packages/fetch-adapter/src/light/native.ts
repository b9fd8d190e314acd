import { inspect } from 'node:util'

// The platform's own classes, as they are before anything of them is overridden.

export const NativeRequest: typeof Request = globalThis.Request
export const NativeResponse: typeof Response = globalThis.Response
export const NativeHeaders: typeof Headers = globalThis.Headers

/**
 * The brand of one class of light objects. A light object has the platform's prototype and a state; a native object is
 * made from the state only when the state cannot give the result itself. Each class has a brand of its own, so that a member
 * of one class refuses light objects of another, as Web IDL requires.
 *
 * The state is in a private field: spread, `Object.assign`, `isDeepStrictEqual` and `Object.create` must not see it.
 * Measured: a private field costs 20 ns an object more than a symbol, a WeakMap 500 ns.
 */
export class LightClass<State extends object> {
  /** Makes a light object. */
  readonly create: (state: State) => object
  /** Makes a light object of `object`, which has the platform's prototype already. */
  readonly adopt: (object: object, state: State) => void
  /** The state of a light object of this class; undefined for any other value. */
  readonly stateOf: (value: unknown) => State | undefined

  /** `prototype` is the platform's. */
  constructor(prototype: object) {
    function Light(): void {}
    Light.prototype = prototype
    const Plain = Light as unknown as new () => object

    // A class of each LightClass: a private name belongs to one evaluation of a class body.
    class Branded extends (ReturnArgument as unknown as new (object: object) => object) {
      readonly #state: State

      constructor(object: object, state: State) {
        super(object)
        this.#state = state
      }

      static stateOf(value: unknown): State | undefined {
        return typeof value === 'object' && value !== null && #state in value ? value.#state : undefined
      }
    }

    this.create = (state) => new Branded(new Plain(), state)
    this.adopt = (object, state) => void new Branded(object, state)
    this.stateOf = Branded.stateOf
  }
}

// The base class of a class that puts its private fields on an object that exists already.
function ReturnArgument(object: object): object {
  return object
}

type Method = (this: unknown, ...args: unknown[]) => unknown

/**
 * Lets every member of `prototype` work on light objects, too: the member is called on the native object that
 * `nativeOf` returns for a light object (undefined for any other value). Names, lengths and attributes stay as they are.
 */
export function forwardMembers(prototype: object, nativeOf: (self: unknown) => unknown): void {
  // Members may be one function under two names, and stay that.
  const wrapped = new Map<unknown, Method>()
  for (const key of Reflect.ownKeys(prototype)) {
    const descriptor = Object.getOwnPropertyDescriptor(prototype, key)!
    const { get, value } = descriptor
    if (key === 'constructor' || !descriptor.configurable) continue
    if (get !== undefined) overrideGetter(prototype, key, (self) => get.call(nativeOf(self) ?? self))
    else if (typeof value === 'function') {
      const method =
        wrapped.get(value) ??
        named(value as Method, (self, args) => Reflect.apply(value, nativeOf(self) ?? self, args))
      wrapped.set(value, method)
      Object.defineProperty(prototype, key, { ...descriptor, value: method })
    }
  }
}

// Gives the getter `key` another body; `run` gets the object.
function overrideGetter(prototype: object, key: PropertyKey, run: (self: unknown) => unknown): void {
  const descriptor = Object.getOwnPropertyDescriptor(prototype, key)!
  const holder = {
    get [key](): unknown {
      return run(this)
    },
  }
  Object.defineProperty(prototype, key, {
    ...descriptor,
    get: Object.getOwnPropertyDescriptor(holder, key)!.get!,
  })
}

/** Lets the getter `key` answer for light objects of a class with what `read` finds in their state. */
export function answerFrom<State extends object>(
  lightClass: LightClass<State>,
  prototype: object,
  key: PropertyKey,
  read: (state: State) => unknown,
): void {
  const { get } = Object.getOwnPropertyDescriptor(prototype, key)!
  overrideGetter(prototype, key, (self) => {
    const state = lightClass.stateOf(self)
    return state === undefined ? get!.call(self) : read(state)
  })
}

/** Gives the method `key` another body; `run` gets the object and the arguments. */
export function overrideMethod(
  prototype: object,
  key: PropertyKey,
  run: (self: unknown, args: unknown[]) => unknown,
): void {
  const descriptor = Object.getOwnPropertyDescriptor(prototype, key)!
  Object.defineProperty(prototype, key, { ...descriptor, value: named(descriptor.value, run) })
}

// A method: it has no prototype, and can not be called with `new`, as the platform's.
function named(original: Method, run: (self: unknown, args: unknown[]) => unknown): Method {
  const holder = {
    method(...args: unknown[]): unknown {
      return run(this, args)
    },
  }
  return withNameOf(holder.method, original)
}

/** Gives a function the name and the length of another. */
export function withNameOf<T extends object>(to: T, from: { name: string; length: number }): T {
  Object.defineProperty(to, 'name', { value: from.name, configurable: true })
  Object.defineProperty(to, 'length', { value: from.length, configurable: true })
  return to
}

/** Puts `standIn` in the place of the global class `original`: it has its name, its static members, and its very prototype. */
export function replaceGlobalClass(standIn: object, original: new (...args: never[]) => object): void {
  for (const key of Reflect.ownKeys(original)) {
    const descriptor = Object.getOwnPropertyDescriptor(original, key)!
    Object.defineProperty(standIn, key, descriptor)
  }
  // `util.inspect` shows `[class Response]` only for a class, and a class cannot take over another prototype. Subclasses inherit the
  // method and are shown as they are.
  Object.defineProperty(standIn, inspect.custom, {
    value(this: unknown): unknown {
      return this === standIn ? original : this
    },
    configurable: true,
  })
  original.prototype.constructor = standIn
  replaceGlobal(original.name, standIn)
}

/** Gives a global another value. */
export function replaceGlobal(name: string, value: unknown): void {
  Object.defineProperty(globalThis, name, { ...Object.getOwnPropertyDescriptor(globalThis, name), value })
}
