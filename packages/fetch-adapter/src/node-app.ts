/**
 * Returns the kind of a Node app that responds through `(req, res)`, such as `'an Express app'`. Undefined for any other value, and for an app
 * that also has a `fetch` method. The function checks members, because importing the frameworks or node:http costs start-up time.
 */
export function nodeAppKind(value: unknown): string | undefined {
  if ((typeof value !== 'function' && typeof value !== 'object') || value === null) return undefined
  const has = (...names: string[]): boolean =>
    names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
  if (has('fetch')) return undefined
  if (typeof value === 'function') {
    if (has('handle', 'use', 'listen', 'set')) return 'an Express app'
    if (has('handle', 'use', 'listen')) return 'a Connect app'
    if (has('handle', 'use', 'route')) return 'an Express router'
    return undefined
  }
  if (has('getHttpAdapter', 'listen')) return 'a Nest app'
  if (has('inject', 'ready', 'listen', 'route')) return 'a Fastify app'
  if (has('callback', 'use', 'listen')) return 'a Koa app'
  if (has('inject', 'route', 'initialize', 'start')) return 'a hapi server'
  if (has('listen', 'close', 'address', 'on', 'setTimeout')) return 'an http.Server'
  return undefined
}

/**
 * Whether the second parameter of a function is named as the response of node:http usually is: `(req, res)`, `(request, response)`. A fetch
 * handler creates its response, and its second parameter is a context. The body of such a function would fail for each request.
 */
export function hasResponseParameter(value: { readonly length: number }): boolean {
  // In the text of `request => …`, the first parentheses are those of a call.
  if (value.length < 2) return false
  const [, list = ''] = /^[^(]*\(([^()]*)\)/.exec(Function.prototype.toString.call(value)) ?? []
  return /^_*(?:res|resp|response|reply|outgoing)$/i.test(list.split(',')[1]?.trim() ?? '')
}

/** The error for a Node app that was passed in place of a fetch handler. */
export function nodeAppError(kind: string): TypeError {
  return new TypeError(
    `This is ${kind}, a (req, res) listener, not a fetch handler. Serve it with @fcgi-bridge/express-adapter: import { serve } from '@fcgi-bridge/express-adapter'.`,
  )
}
