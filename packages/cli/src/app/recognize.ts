import type { Recognized, RequestListener } from '@fcgi-bridge/express-adapter'
import { recognizeFramework } from '@fcgi-bridge/express-adapter/framework'
import type { AuthorizeHandler, FetchHandler } from '@fcgi-bridge/fetch-adapter'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'

/** An app, with the functions to call. `what` describes it in messages: `an Express app`. */
export type App = (
  | { kind: 'listener'; what: string; listener: RequestListener }
  | { kind: 'fetch'; what: string; fetch?: FetchHandler; authorize?: AuthorizeHandler }
) & {
  /** Must resolve before the first request. Rejects if the app cannot be served. */
  ready?: () => Promise<unknown>
}

/** How to call an app: as `(request, response)`, or with a Request. */
export type AppKind = App['kind']

/**
 * Recognizes the kind of an app: an Express, Koa, Fastify or NestJS app, a hapi server, a listener, an `http.Server` that does not
 * listen, an object with `fetch`, a function of a Request, or an authorizer. For a function, `as` gives the kind.
 *
 * Returns undefined if the value is not an app. Returns `'unclear'` for a function that may be a listener, a fetch handler or neither.
 */
export function recognize(value: unknown, as: AppKind | undefined): App | 'unclear' | undefined {
  if (typeof value === 'function' && as !== undefined) return asKind(value, as)
  const framework = recognizeFramework(value)
  if (framework !== undefined) return fromFramework(framework)
  if (hasMethod(value, 'fetch')) {
    return {
      kind: 'fetch',
      what: 'an app with a fetch method',
      fetch: (value.fetch as FetchHandler).bind(value),
    }
  }
  if (typeof value !== 'function') {
    return hasMethod(value, 'authorize')
      ? { kind: 'fetch', what: 'an authorizer', authorize: (value.authorize as AuthorizeHandler).bind(value) }
      : undefined
  }
  // Apps of Express and connect are functions with a `handle` method. The parameters do not identify them: Express 4 has three.
  if (hasMethod(value, 'handle')) {
    const what = hasMethod(value, 'set') ? 'an Express app' : 'a connect app'
    return { kind: 'listener', what, listener: value as unknown as RequestListener }
  }
  const kind = kindOfFunction(value as (...args: unknown[]) => unknown)
  return kind === undefined ? 'unclear' : asKind(value, kind)
}

function asKind(value: unknown, kind: AppKind): App {
  return kind === 'listener'
    ? { kind, what: 'a request listener', listener: value as RequestListener }
    : { kind, what: 'a fetch handler', fetch: value as FetchHandler }
}

// Usual parameter names for Node's response, as in `(incoming, outgoing)` and `(nodeReq, nodeRes)`.
const RESPONSE = /^_*(?:node|server|http|raw)?(?:res|resp|response|reply|outgoing|outgoingmessage)$/i
// Usual parameter names for Node's request that no fetch handler uses.
const NODE_REQUEST = /^_*(?:(?:node|raw|server)req(?:uest)?|incoming(?:message|request)?)$/i
const CONTEXT = /^(?:\{.*|_*(?:ctx|context|env|info|server|event))$/i
const LISTENER_NAME = /(?:^|\s)(?:middleware|(?:node|request)?listener|nodehandler)$/i

/**
 * Guesses the kind of a function from its parameters. A listener has a second parameter, `res`, to respond. A fetch handler has one
 * parameter, or a second one with another name (`context`, `env`, `{ remoteAddress }`). If the parameters have no names, as in a bound
 * function, the name of the function may show it. Returns undefined if nothing does.
 */
function kindOfFunction(value: (...args: unknown[]) => unknown): AppKind | undefined {
  if (looksLikeFactory(value)) return undefined
  const [first = '', second = ''] = parametersOf(value)
  if (RESPONSE.test(second) || (second !== '' && NODE_REQUEST.test(first))) return 'listener'
  if (value.length === 1 && second === '') return 'fetch'
  if (CONTEXT.test(second)) return 'fetch'
  return value.length >= 2 && LISTENER_NAME.test(value.name) ? 'listener' : undefined
}

// Usual names of the first parameter of a factory or a Fastify plugin.
const FACTORY_PARAMETER =
  /^_*(?:opts|options|config|configuration|settings|deps|dependencies|fastify|instance)$/i

/** Whether a function seems to create an app instead of being one: `createApp()`, `(options) => …`, a class. */
export function looksLikeFactory(value: unknown): boolean {
  if (typeof value !== 'function') return false
  if (/^class\b/.test(sourceOf(value))) return true
  const [first] = parametersOf(value)
  if (first === undefined || FACTORY_PARAMETER.test(first)) return true
  return /^(?:create|make|build|setup|bootstrap)(?:[A-Z_]|$)/.test(value.name) && !/req/i.test(first)
}

// Returns the names of the parameters without their defaults. For a bound or built-in function, returns `?` for each parameter.
function parametersOf(value: { length: number }): string[] {
  const source = sourceOf(value)
  const [, only] = /^(?:async\s+)?([\w$]+)\s*=>/.exec(source) ?? []
  if (only !== undefined) return [only]
  if (source.endsWith('{ [native code] }')) return Array.from({ length: value.length }, () => '?')
  const list = /^[^(]*?\(([^)]*)\)/.exec(source)?.[1]?.trim() ?? ''
  if (list === '') return []
  // Replace each destructuring pattern, because it is one parameter and may contain commas.
  const plain = list.replace(/\{[^{}]*\}|\[[^[\]]*\]/g, '{}')
  return plain.split(',').map((parameter) => parameter.replace(/=.*$/s, '').trim())
}

function sourceOf(value: object): string {
  return Function.prototype.toString.call(value)
}

function fromFramework({ what, listener, ready }: Recognized): App {
  if (ready === undefined) return { kind: 'listener', what, listener }
  // An http.Server that already listens is the user's mistake, so report it without a stack.
  const start = async (): Promise<void> => {
    try {
      await ready()
    } catch (error) {
      throw what === 'an http.Server' ? new Failure(EXIT.app, (error as Error).message) : error
    }
  }
  return { kind: 'listener', what, listener, ready: start }
}

/** Whether an object or a function has a method of this name. */
export function hasMethod<Name extends string>(value: unknown, name: Name): value is Record<Name, unknown> {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function'
  return isObject && typeof (value as Record<Name, unknown>)[name] === 'function'
}
