/**
 * The error for a listener that returned, or resolved to, a Response of the Fetch standard. Undefined for other values, and for a listener
 * of two `parameters`: that one can respond through its second parameter, whatever it returns.
 */
export function fetchHandlerError(parameters: number, value: unknown): Error | undefined {
  if (typeof value !== 'object' || value === null || parameters === 2) return undefined
  if ((value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] !== 'Response') return undefined
  return new TypeError(
    'The app returned a Response, so it is a fetch handler. This adapter serves (request, response) listeners. Serve the app ' +
      'with @fcgi-bridge/fetch-adapter.',
  )
}
