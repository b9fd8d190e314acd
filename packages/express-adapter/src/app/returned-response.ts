/**
 * What is wrong if a listener of this many parameters returned, or resolved to, `value`: undefined unless that is a Response of
 * Fetch. A function with a second parameter may respond by it, whatever it returns.
 */
export function fetchHandlerError(parameters: number, value: unknown): Error | undefined {
  if (typeof value !== 'object' || value === null || parameters === 2) return undefined
  if ((value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] !== 'Response') return undefined
  return new TypeError(
    'The app returned a Response, so it is a fetch handler, and this is the adapter for (request, response) listeners. Serve it ' +
      'with @fcgi-bridge/fetch-adapter.',
  )
}
