// A launcher such as `fcgi-bridge serve` can start a program that calls serve(), or listen() of a server. The launcher then decides where
// the program listens. It is a property of globalThis, because the launcher and the program may load two copies of this package.

import type { Handlers } from './handlers.ts'
import type { FastCgiServer } from './server.ts'

/** Runs the server of a program. */
export interface Launcher {
  /**
   * Called in place of the program's `serve(handlers, options)`. `start` does what `serve` would do with the handlers and options that it
   * gets.
   */
  serve(
    handlers: Handlers,
    options: object,
    start: (handlers: Handlers, options: object) => Promise<FastCgiServer>,
  ): Promise<FastCgiServer>
}

interface Global {
  [LAUNCHER]?: Launcher | undefined
}

const LAUNCHER: unique symbol = Symbol.for('@fcgi-bridge/core launcher') as never

/** Makes `launcher` run the next server of this program. Undefined removes the launcher. */
export function setLauncher(launcher: Launcher | undefined): void {
  ;(globalThis as Global)[LAUNCHER] = launcher
}

/** The launcher, if there is one and no server of this program has used it. */
export function currentLauncher(): Launcher | undefined {
  return (globalThis as Global)[LAUNCHER]
}

/** Returns the launcher for a server that starts, and removes it, because a launcher runs only one server. */
export function takeLauncher(): Launcher | undefined {
  const launcher = currentLauncher()
  if (launcher !== undefined) setLauncher(undefined)
  return launcher
}
