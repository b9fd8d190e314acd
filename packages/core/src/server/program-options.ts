import type { AddressInfo } from 'node:net'
import { TIMER_MAX } from './timeouts.ts'

/** Options of {@link serve} about the program that it runs in. */
export interface ProgramOptions {
  /** Closes the server when it aborts. */
  signal?: AbortSignal
  /** Called with each address on which the server listens. */
  onListen?: (address: AddressInfo | string) => void
  /**
   * Default true: on SIGTERM, SIGUSR1 (mod_fcgid, Apache) and SIGINT the server drains, and then the process exits with status 0. A
   * second SIGINT exits at once. A second SIGTERM does nothing, because mod_fcgid always sends two. A SIGTERM that arrived while the
   * program was loading has the same effect, if the process was started with a listening socket.
   * `'unless-handled'`: only the signals for which the program has no listener.
   */
  handleSignals?: boolean | 'unless-handled'
  /**
   * How long the server waits after such a signal, before it drains, in milliseconds. Default 0. Meanwhile `healthPath` responds with 503,
   * and all requests are served: time for a load balancer to notice. It counts in addition to `drainTimeout`.
   */
  drainDelay?: number
  /**
   * Default true: after an uncaught exception, if the program has no `uncaughtException` listener, the server drains and the process
   * exits with status 1, so that no other request is lost. With either value, an unhandled rejection whose reason is the abort of a
   * request goes to `onError` and does not end the process.
   */
  handleExceptions?: boolean
  /**
   * When one of these files is written, touched or created, the program ends as with SIGTERM. The front server or the process manager then
   * starts the new version. Each process checks the files twice a second. The default is `tmp/restart.txt` and `restart.txt` in the folder
   * of the program (`process.argv[1]`) if a front server started it with descriptor 0, otherwise none. `[]` turns it off.
   */
  restartFiles?: readonly string[]
}

/**
 * Checks the options of `serve` that concern the program, before anything listens. Throws a TypeError for a value of the wrong type and a
 * RangeError for a time that is out of range.
 */
export function checkProgramOptions(options: ProgramOptions): void {
  const { signal, onListen, handleSignals, drainDelay = 0, restartFiles } = options
  if (signal !== undefined && typeof signal?.throwIfAborted !== 'function') {
    const hint = (signal as unknown) instanceof AbortController ? ' Pass controller.signal.' : ''
    throw new TypeError(`The option signal must be an AbortSignal, not ${kindOf(signal)}.${hint}`)
  }
  if (onListen !== undefined && typeof onListen !== 'function') {
    throw new TypeError(`The option onListen must be a function, not ${kindOf(onListen)}.`)
  }
  if (handleSignals !== undefined && ![true, false, 'unless-handled'].includes(handleSignals)) {
    throw new TypeError(
      `The option handleSignals must be true, false or 'unless-handled', not ${kindOf(handleSignals)}.`,
    )
  }
  if (typeof drainDelay !== 'number' || !(drainDelay >= 0 && drainDelay < TIMER_MAX)) {
    throw new RangeError(
      `The option drainDelay must be a number from 0 to ${TIMER_MAX - 1}, not ${kindOf(drainDelay)}.`,
    )
  }
  if (restartFiles !== undefined && !isListOfPaths(restartFiles)) {
    throw new TypeError(
      `The option restartFiles must be an array of paths, not ${kindOf(restartFiles)}. Write ['tmp/restart.txt'].`,
    )
  }
}

function isListOfPaths(value: unknown): boolean {
  return Array.isArray(value) && value.every((path) => typeof path === 'string')
}

function kindOf(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  return typeof value === 'object' && value !== null ? Object.prototype.toString.call(value) : String(value)
}
