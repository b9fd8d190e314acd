// A program that calls serve(), or listen() of a server, can be started by a launcher such as `fcgi-bridge serve`, which decides
// where the program listens. The launcher and the program may have their own copies of this package, so they meet on globalThis.

import type { Handlers } from './handlers.ts'
import type { FastCgiServer } from './server.ts'

/** How a launcher runs the server of a program. */
export interface Launcher {
  /** Options of `serve` that replace those of the program. */
  readonly options: Readonly<Record<string, unknown>>
  /** Drop the program's `port`, `host`, `path`, `mode` and `fd`. */
  readonly replacesPlace: boolean
  /** Wraps the handlers of the program, for example to log requests. */
  wrap?(handlers: Handlers): Handlers
  /** Called when the program starts to listen, with the promise of its server. */
  onStart?(starting: Promise<FastCgiServer>): void
}

interface Global {
  [LAUNCHER]?: Launcher | undefined
}

const LAUNCHER: unique symbol = Symbol.for('@fcgi-bridge/core launcher') as never

/** Makes `launcher` run the next server of this program; undefined cancels that. */
export function setLauncher(launcher: Launcher | undefined): void {
  ;(globalThis as Global)[LAUNCHER] = launcher
}

/** The launcher, if there is one and no server of this program has it. It runs one server, so the next call returns undefined. */
export function takeLauncher(): Launcher | undefined {
  const launcher = (globalThis as Global)[LAUNCHER]
  if (launcher !== undefined) setLauncher(undefined)
  return launcher
}
