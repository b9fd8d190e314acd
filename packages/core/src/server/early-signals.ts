// Handles a SIGTERM that arrives while the program loads. mod_fcgid, lighttpd's `bin-path`, spawn-fcgi, H2O, systemd and process managers
// pass a socket that already listens. A request may be in its queue, and would be lost if the signal ended the process. So this module
// remembers the signal from the moment it loads. When the program serves, it drains, which serves that request.

import { hasInheritedSocket } from '../listen/inherited.ts'
import { isStopRequested } from '../listen/stop-request.ts'

const SIGNALS = ['SIGTERM', 'SIGUSR1'] as const

// How long (milliseconds) the signal is held back. A program that does not serve by then is assumed to never serve. mod_fcgid kills it 8
// seconds after the signal.
const HOLD_TIMEOUT = 7000

let received: NodeJS.Signals | undefined
let holdTimer: NodeJS.Timeout | undefined

function remember(signal: NodeJS.Signals): void {
  received ??= signal
  holdTimer ??= setTimeout(() => {
    stopListening()
    // Now the signal has its default action, or the program's own listeners handle it.
    process.kill(process.pid, signal)
  }, HOLD_TIMEOUT).unref()
}

function stopListening(): void {
  clearTimeout(holdTimer)
  for (const signal of SIGNALS) process.removeListener(signal, remember)
}

if (hasInheritedSocket()) for (const signal of SIGNALS) process.on(signal, remember)

/**
 * Calls `handle` with the signal that arrived while the program was loading, if there was one. Later signals are handled by the listeners
 * that the caller has added. A program that handles a signal before this module has loaded can set `globalThis.fcgiBridgeStop` to true.
 */
export function handleEarlySignal(handle: (signal: NodeJS.Signals) => void): void {
  // Wait one event loop tick. A signal that has arrived but has not been delivered would be lost if its last listener were removed now.
  // Besides, the caller of serve() then has its server.
  setImmediate(() => {
    stopListening()
    const signal = received ?? (isStopRequested() ? 'SIGTERM' : undefined)
    received = undefined
    if (signal !== undefined) handle(signal)
  })
}
