/**
 * Returns the error for a listener that returned a Response of the Fetch standard, or a promise of one. Undefined for other values. Also
 * undefined if the listener has two parameters, because it can respond through the second one, whatever it returns.
 */
export function fetchHandlerError(parameters: number, value: unknown): Error | undefined {
  if (typeof value !== 'object' || value === null || parameters === 2) return undefined
  if ((value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] !== 'Response') return undefined
  return new TypeError(
    'The app returned a Response, so it is a fetch handler. This adapter serves (request, response) listeners. Serve the app ' +
      'with @fcgi-bridge/fetch-adapter.',
  )
}
