import { type Recognized, type RequestListener, recognizeFramework } from '@fcgi-bridge/express-adapter'
import type { AuthorizeHandler, FetchHandler } from '@fcgi-bridge/fetch-adapter'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'

/** An app as it is served. `what` names it for people: `an Express app`. */
export type App = (
  | { kind: 'listener'; what: string; listener: RequestListener }
  | { kind: 'fetch'; what: string; fetch?: FetchHandler; authorize?: AuthorizeHandler }
) & {
  /** Has to have settled before the first request; rejects where the app can not be served. */
  ready?: () => Promise<unknown>
}

/** How an app is called: as `(request, response)`, or with a Request. */
export type AppKind = App['kind']

/**
 * Sees what kind of app a value is: an Express, Koa, Fastify, NestJS or hapi app, a listener, an `http.Server` that does not listen,
 * an object with `fetch`, a function of a Request, an authorizer. `as` settles it for a bare function.
 *
 * Returns undefined where it is no app, and `'unclear'` for a function that may be a listener or a fetch handler.
 */
export function recognize(value: unknown, as: AppKind | undefined): App | 'unclear' | undefined {
  if (typeof value === 'function' && as !== undefined) return asKind(value, as)
  const framework = recognizeFramework(value)
  if (framework !== undefined) return ofFramework(framework)
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
  // Express's and connect's apps are functions with a `handle` method; Express 4's has three parameters.
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

/**
 * A function's parameters tell what it is: a listener needs its second, `res`, to answer; a fetch handler has one, or names the
 * second otherwise (`context`, `env`, `{ remoteAddress }`). Undefined where neither can be said.
 */
function kindOfFunction(value: (...args: unknown[]) => unknown): AppKind | undefined {
  const parameters = /^[^(]*?\(([^)]*)\)/.exec(Function.prototype.toString.call(value))?.[1]
  const second = parameters?.split(',')[1]?.trim() ?? ''
  if (/^_?(res|resp|response|reply)\b/i.test(second)) return 'listener'
  if (value.length === 1 && second === '') return 'fetch'
  if (second.startsWith('{') || /^_?(ctx|context|env|info|server|event)\b/i.test(second)) return 'fetch'
  return undefined
}

function ofFramework({ what, listener, ready }: Recognized): App {
  if (ready === undefined) return { kind: 'listener', what, listener }
  // The message of an http.Server that listens already needs no stack.
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

/** Whether it is a Koa app. */
export function isKoa(value: unknown): value is { callback(): unknown } {
  return hasMethod(value, 'callback') && Array.isArray((value as { middleware?: unknown }).middleware)
}
