import { isServeOption, type ServeOptions } from '@fcgi-bridge/core'
import type { AuthorizeHandler } from './authorize.ts'
import type { FetchHandler, FetchHandlerOptions } from './handler.ts'
import { nodeAppError, nodeAppKind } from './node-app.ts'

/** An app as Hono, h3, Workers, Bun, Deno and srvx have it: an object with a `fetch` method. */
export interface FetchApp {
  fetch: FetchHandler
  /** Serves FCGI_AUTHORIZER requests. */
  authorize?: AuthorizeHandler
}

/** A program that only authorizes, as mod_fcgid's `FcgidAuthorizer` runs one. */
export interface AuthorizerApp {
  fetch?: undefined
  authorize: AuthorizeHandler
}

/** A module that exports its app as default, or its handlers by name. */
export type FetchModule = { default: FetchApp | FetchHandler; authorize?: AuthorizeHandler } | FetchApp

/** Options of `serve`: those of core's and of `toHandler`, and a handler for FCGI_AUTHORIZER for apps that have no place for one. */
export type FetchServeOptions = ServeOptions & FetchHandlerOptions & { authorize?: AuthorizeHandler }

/** The handlers that were found, and where they are to listen. */
export interface ResolvedApp {
  fetch: FetchHandler | undefined
  authorize: AuthorizeHandler | undefined
  handlerOptions: FetchHandlerOptions
  options: ServeOptions
}

/**
 * Finds the handlers in what was given to `serve`. Options are taken from `options`, and from the app only if it is a plain
 * object: a module says what the app is, not where this program listens, and an app of a class may use the same names
 * for its own (`app.mount`). Throws a TypeError if there is no handler, and for apps of node:http (Express, Koa, Fastify).
 */
export function resolveApp(app: unknown, options: FetchServeOptions = {}): ResolvedApp {
  // Core's serve refuses what is no object, and says what to write.
  const given = typeof options === 'object' && options !== null ? options : undefined
  const found = findHandlers(app)
  const fetch = found.fetch
  const authorize = given?.authorize ?? found.authorize
  if (fetch === undefined && authorize === undefined) throw new TypeError(noHandler(app))
  if (given === undefined) return { fetch, authorize, handlerOptions: {}, options }
  const all: FetchServeOptions = { ...optionsOf(app), ...given }
  const { authorize: _, overrideGlobalObjects, ...serveOptions } = all
  const handlerOptions = overrideGlobalObjects === undefined ? {} : { overrideGlobalObjects }
  return { fetch, authorize, handlerOptions, options: serveOptions }
}

// An unknown name is refused as a misspelt option, unless it has a function or an object: an app may have more members
// than `fetch` (`scheduled` of a Worker, the `hooks` of Nitro).
function optionsOf(app: unknown): object {
  if (!isOptionsObject(app)) return {}
  const { fetch: _, ...members } = app
  const isOption = ([name, value]: [string, unknown]): boolean =>
    isServeOption(name) || (typeof value !== 'function' && (typeof value !== 'object' || value === null))
  return Object.fromEntries(Object.entries(members).filter(isOption))
}

interface Handlers {
  fetch?: FetchHandler | undefined
  authorize?: AuthorizeHandler | undefined
}

function findHandlers(app: unknown): Handlers {
  const kind = nodeAppKind(app)
  if (kind !== undefined) throw nodeAppError(kind)
  const source = app as Partial<FetchApp & { default: unknown }> | null | undefined
  if (source === null || source === undefined) return {}
  // `{ fetch: expressApp }`, too.
  const inner = nodeAppKind(source.fetch)
  if (inner !== undefined) throw nodeAppError(inner)
  const authorize = boundMethod(source, source.authorize)
  const exported = source.default === undefined || source.default === app ? {} : findHandlers(source.default)
  const fetch = exported.fetch ?? boundMethod(source, source.fetch)
  if (fetch === undefined && typeof source === 'function') return { fetch: source as FetchHandler }
  return { fetch, authorize: exported.authorize ?? authorize }
}

// The app's methods may need their `this`.
function boundMethod<T extends (...args: never[]) => unknown>(
  owner: object,
  method: T | undefined,
): T | undefined {
  return typeof method === 'function' ? (method.bind(owner) as T) : undefined
}

function isOptionsObject(app: unknown): app is Record<string, unknown> {
  return (
    typeof app === 'object' &&
    app !== null &&
    Object.getPrototypeOf(app) === Object.prototype &&
    !('default' in app)
  )
}

function noHandler(app: unknown): string {
  const what =
    typeof app === 'object' && app !== null
      ? `an object with ${Object.keys(app).join(', ') || 'nothing'}`
      : String(app)
  return `serve() found no fetch handler in ${what}. Give it a function (request) => Response, an object with a \`fetch\` method (a Hono or h3 app, { fetch }), or a module that exports one as its default.`
}
