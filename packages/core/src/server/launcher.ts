// A program that calls serve(), or listen() of a server, can be started by a launcher such as `fcgi-bridge serve`, which decides
// where the program listens. The launcher and the program may have their own copies of this package, so they meet on globalThis.

import type { Handlers } from './handlers.ts'
import type { FastCgiServer } from './server.ts'

/** Runs the server of a program. */
export interface Launcher {
  /**
   * Called in place of `serve(handlers, options)` of the program. `start` does what that would do, with any handlers and options of
   * `serve`.
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

/** Makes `launcher` run the next server of this program; undefined cancels that. */
export function setLauncher(launcher: Launcher | undefined): void {
  ;(globalThis as Global)[LAUNCHER] = launcher
}

/** The launcher, if there is one and no server of this program has it. */
export function currentLauncher(): Launcher | undefined {
  return (globalThis as Global)[LAUNCHER]
}

/** The same, for a server that starts: a launcher runs one server, so the next call returns undefined. */
export function takeLauncher(): Launcher | undefined {
  const launcher = currentLauncher()
  if (launcher !== undefined) setLauncher(undefined)
  return launcher
}
