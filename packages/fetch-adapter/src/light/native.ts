// The platform's own classes, and the functions that replace their members.

import { inspect } from 'node:util'

/** The platform's Request. */
export const NativeRequest: typeof Request = globalThis.Request
/** The platform's Response. */
export const NativeResponse: typeof Response = globalThis.Response
/** The platform's Headers. */
export const NativeHeaders: typeof Headers = globalThis.Headers

/**
 * A class of light objects. A light object has the platform's prototype and a state. A native object is created from the state only when the
 * state cannot give a result itself. Each class has its own private field, so that a member of one class throws for light objects of
 * another, as Web IDL requires.
 *
 * The state is in a private field, because spread, `Object.assign`, `isDeepStrictEqual` and `Object.create` must not see it. A private
 * field costs 20 ns more for each object than a symbol property. A WeakMap costs 500 ns more.
 */
export class LightClass<State extends object> {
  /** Creates a light object. */
  readonly create: (state: State) => object
  /** Turns `object`, which already has the platform's prototype, into a light object. */
  readonly adopt: (object: object, state: State) => void
  /** Returns the state of a light object of this class. Undefined for any other value. */
  readonly stateOf: (value: unknown) => State | undefined

  /** `prototype` is the prototype of the platform's class. */
  constructor(prototype: object) {
    function Light(): void {}
    Light.prototype = prototype
    const Plain = Light as unknown as new () => object

    // Each LightClass evaluates this class body again, and therefore has its own private name.
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

// As a base class, it makes a subclass add its private fields to an existing object.
function ReturnArgument(object: object): object {
  return object
}

type Method = (this: unknown, ...args: unknown[]) => unknown

/**
 * Makes every member of `prototype` work on light objects: the member is called on the native object that `nativeOf` returns. `nativeOf`
 * returns undefined for a value that is not a light object. The members keep their names, lengths and attributes.
 */
export function forwardMembers(prototype: object, nativeOf: (self: unknown) => unknown): void {
  // Two members that are the same function must remain the same.
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

// Replaces the getter `key` by `run`, which gets the object.
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

/** Makes the getter `key` return `read(state)` for light objects of a class. */
export function readFromState<State extends object>(
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

/** Replaces the method `key` by `run`, which gets the object and the arguments. */
export function overrideMethod(
  prototype: object,
  key: PropertyKey,
  run: (self: unknown, args: unknown[]) => unknown,
): void {
  const descriptor = Object.getOwnPropertyDescriptor(prototype, key)!
  Object.defineProperty(prototype, key, { ...descriptor, value: named(descriptor.value, run) })
}

// Returns a function in method syntax: like a method of the platform, it has no prototype, and cannot be called with `new`.
function named(original: Method, run: (self: unknown, args: unknown[]) => unknown): Method {
  const holder = {
    method(...args: unknown[]): unknown {
      return run(this, args)
    },
  }
  return withNameOf(holder.method, original)
}

/** Gives the function `to` the name and the length of `from`. */
export function withNameOf<T extends object>(to: T, from: { name: string; length: number }): T {
  Object.defineProperty(to, 'name', { value: from.name, configurable: true })
  Object.defineProperty(to, 'length', { value: from.length, configurable: true })
  return to
}

/** Replaces the global class `original` by `standIn`, which gets its name, its static members and its prototype. */
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

/** Replaces the value of a global. */
export function replaceGlobal(name: string, value: unknown): void {
  Object.defineProperty(globalThis, name, { ...Object.getOwnPropertyDescriptor(globalThis, name), value })
}
