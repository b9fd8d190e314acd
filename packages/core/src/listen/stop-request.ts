interface Global {
  fcgiBridgeStop?: unknown
}

/** Whether a signal has asked this program to stop before its server could handle it. `app.fcgi` sets the variable, too. */
export function isStopRequested(): boolean {
  return (globalThis as Global).fcgiBridgeStop === true
}

/** Makes the server of this program drain as soon as it serves. */
export function requestStop(): void {
  ;(globalThis as Global).fcgiBridgeStop = true
}
