import type { Exchange } from '@fcgi-bridge/core'
import type { FetchContext } from './context.ts'

/** The members that srvx adds to its requests. h3, Nitro and TanStack Start read them. */
interface ServerMembers {
  /** The client's address (REMOTE_ADDR). */
  ip: string | undefined
  /** `runtime.fastcgi` is the context. */
  runtime: { readonly name: 'fastcgi'; readonly fastcgi: FetchContext }
  /** The context's. */
  waitUntil: FetchContext['waitUntil']
}

/** What the members of a request are created from. */
export interface ServedRequest {
  readonly exchange: Exchange
  readonly context: FetchContext
}

// Creates each member.
const MEMBERS: { readonly [Name in keyof ServerMembers]: (served: ServedRequest) => ServerMembers[Name] } = {
  ip: ({ exchange }) => exchange.remoteAddress,
  runtime: ({ context }) => new Runtime(context),
  waitUntil:
    ({ exchange }) =>
    (promise) =>
      exchange.waitUntil(promise),
}

/**
 * Adds the members to one Request. They are data properties, which cost 0.5 µs with their values. To define three accessors takes 0.6 µs on
 * Node 26, without any value. A separate prototype would cost less, but a Request must have the platform's prototype.
 */
export function addServerMembers(request: Request, served: ServedRequest): void {
  const members = request as Request & ServerMembers
  members.ip = MEMBERS.ip(served)
  members.runtime = MEMBERS.runtime(served)
  members.waitUntil = MEMBERS.waitUntil(served)
}

/**
 * Defines the members on the prototype of all Requests. Each member is created on first use. `servedBy` returns undefined for a Request that
 * is not from this adapter, whose members are undefined. It throws for another object.
 */
export function defineServerMembers(
  prototype: object,
  servedBy: (request: unknown) => ServedRequest | undefined,
): void {
  for (const name of Object.keys(MEMBERS) as (keyof ServerMembers)[]) {
    Object.defineProperty(prototype, name, {
      get(this: object): unknown {
        const served = servedBy(this)
        if (served === undefined) return undefined
        const value = MEMBERS[name](served)
        setOwn(this, name, value)
        return value
      },
      set(this: object, value: unknown): void {
        setOwn(this, name, value)
      },
      configurable: true,
      enumerable: false,
    })
  }
}

function setOwn(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true })
}

// A class, not an object literal: V8 allocates the objects of a literal in the old generation once many survive a minor
// collection. Each then keeps its request alive until the next major collection.
class Runtime {
  readonly name = 'fastcgi'
  readonly fastcgi: FetchContext

  constructor(context: FetchContext) {
    this.fastcgi = context
  }
}
