// A process that shares an app opens its sockets before it loads the app. serve() then serves them. They are a
// property of globalThis, because the program that opened them and the app may load two copies of this package.

import type { OpenSocket } from './open-socket.ts'

/** The sockets that this process has opened for the app. */
export interface HeldSockets {
  readonly sockets: readonly OpenSocket[]
  /** Milliseconds without a connection after which the program ends. Undefined: the front server that started it ends it. */
  readonly idleTimeout: number | undefined
  /** Called when a server serves the sockets, and handles the signals of the program. */
  onServed(): void
}

interface Global {
  [HELD]?: HeldSockets | undefined
}

const HELD: unique symbol = Symbol.for('@fcgi-bridge/core held sockets') as never

/**
 * Leaves sockets to the next server of this program that needs an address. Until then they do not keep the process alive, as if it had no
 * socket yet: a program that ends without a server must not look as if it were still starting.
 */
export function leaveSockets(held: HeldSockets): void {
  for (const { listener } of held.sockets) listener.unref()
  ;(globalThis as Global)[HELD] = held
}

/** Whether sockets wait for a server. */
export function hasHeldSockets(): boolean {
  return (globalThis as Global)[HELD] !== undefined
}

/** Takes the sockets that wait for a server. The next call returns undefined. */
export function takeHeldSockets(): HeldSockets | undefined {
  const held = (globalThis as Global)[HELD]
  ;(globalThis as Global)[HELD] = undefined
  for (const { listener } of held?.sockets ?? []) listener.ref()
  return held
}
