// SIGTERM while a program loads. mod_fcgid, lighttpd's `bin-path`, spawn-fcgi, H2O, systemd and process managers pass a socket that
// listens already: a request may wait in its queue, and would be lost if the signal ended the process. So the signal is remembered
// from the moment this module loads, and obeyed once the program serves: it drains, which serves that request.

import { hasInheritedSocket } from '../listen/inherited.ts'

const SIGNALS = ['SIGTERM', 'SIGUSR1'] as const

// Milliseconds. A program that does not serve by then does not serve at all. mod_fcgid kills it 8 seconds after the signal.
const PATIENCE = 7000

let received: NodeJS.Signals | undefined
let overdue: NodeJS.Timeout | undefined

function remember(signal: NodeJS.Signals): void {
  received ??= signal
  overdue ??= setTimeout(() => {
    stopListening()
    // The default action of the signal, or that of the program's own listeners.
    process.kill(process.pid, signal)
  }, PATIENCE).unref()
}

function stopListening(): void {
  clearTimeout(overdue)
  for (const signal of SIGNALS) process.removeListener(signal, remember)
}

if (hasInheritedSocket()) for (const signal of SIGNALS) process.on(signal, remember)

/**
 * Calls `obey` with the signal that asked the program to end while it was loading, if there was one. Later signals are left to the
 * listeners that the caller has added. A program may set `globalThis.fcgiBridgeStop` to true in a listener of its own, which can run
 * before this module has loaded.
 */
export function obeyEarlySignal(obey: (signal: NodeJS.Signals) => void): void {
  // One turn later: a signal that has arrived already, but has not been delivered, would be lost if its last listener were removed now.
  // The caller of serve() then has its server, too.
  setImmediate(() => {
    stopListening()
    const signal = received ?? (isStopRequested() ? 'SIGTERM' : undefined)
    received = undefined
    if (signal !== undefined) obey(signal)
  })
}

function isStopRequested(): boolean {
  return (globalThis as { fcgiBridgeStop?: unknown }).fcgiBridgeStop === true
}
