// The platform's own classes, as they are before anything of them is overridden.

export const NativeRequest: typeof Request = globalThis.Request
export const NativeResponse: typeof Response = globalThis.Response
export const NativeHeaders: typeof Headers = globalThis.Headers

/**
 * What makes light objects of a class: they have the platform's prototype, and a state from which a true object is only made
 * when somebody asks for what the state does not know itself. Each class has a key of its own for it, so that a member
 * of one refuses the light objects of another as the platform does.
 */
export class LightClass<State extends object> {
  readonly #key: symbol
  readonly #create: new (
    state: State,
  ) => object

  /** `prototype` is the platform's. */
  constructor(prototype: object) {
    const key = Symbol('fcgi-bridge.light')
    function Light(this: Record<symbol, State>, state: State): void {
      this[key] = state
    }
    Light.prototype = prototype
    this.#key = key
    this.#create = Light as unknown as new (state: State) => object
  }

  /** A light object. */
  create(state: State): object {
    return new this.#create(state)
  }

  /** Makes a light object of one that has the prototype already. */
  adopt(object: object, state: State): void {
    ;(object as Record<symbol, State>)[this.#key] = state
  }

  /** The state of a light object of this class; undefined for all others. Throws a TypeError for null and undefined. */
  stateOf(self: unknown): State | undefined {
    return (self as Record<symbol, State | undefined>)[this.#key]
  }
}

type Method = (this: unknown, ...args: unknown[]) => unknown

/**
 * Lets every member of `prototype` work on light objects too, by handing on to the true object that `nativeOf` gives for
 * one (undefined for what is no light object). Names, lengths and attributes stay as they are.
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
  original.prototype.constructor = standIn
  replaceGlobal(original.name, standIn)
}

/** Gives a global another value. */
export function replaceGlobal(name: string, value: unknown): void {
  Object.defineProperty(globalThis, name, { ...Object.getOwnPropertyDescriptor(globalThis, name), value })
}
