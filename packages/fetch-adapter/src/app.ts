import { isServeOption, type ServeOptions } from '@fcgi-bridge/core'
import type { AuthorizeHandler } from './authorize.ts'
import type { FetchHandler, FetchHandlerOptions } from './handler.ts'
import { hasResponseParameter, nodeAppError, nodeAppKind } from './node-app.ts'

/** An app of Hono, h3, Workers, Bun, Deno or srvx: an object with a `fetch` method. */
export interface FetchApp {
  fetch: FetchHandler
  /** The handler for FCGI_AUTHORIZER requests. */
  authorize?: AuthorizeHandler
}

/** An app that only authorizes, for example for mod_fcgid's `FcgidAuthorizer`. */
export interface AuthorizerApp {
  fetch?: undefined
  authorize: AuthorizeHandler
}

/** A module with an app as its default export, or with handlers as named exports. */
export type FetchModule = { default: FetchApp | FetchHandler; authorize?: AuthorizeHandler } | FetchApp

/** Options of `serve`: those of core's `serve` and of `toHandler`. `authorize` is for apps that cannot have an `authorize` method. */
export type FetchServeOptions = ServeOptions & FetchHandlerOptions & { authorize?: AuthorizeHandler }

/** The handlers of an app, and the options to serve them with. */
export interface ResolvedApp {
  fetch: FetchHandler | undefined
  authorize: AuthorizeHandler | undefined
  handlerOptions: FetchHandlerOptions
  options: ServeOptions
}

// A program that calls `serve` owns its globals. A library that calls `toHandler` does not.
const PROGRAM_DEFAULTS: FetchHandlerOptions = { overrideGlobalObjects: true }

/**
 * Finds the handlers and options in the arguments of `serve`. Options come from `options`, and from the app only if it is a plain
 * object. A module's exports are not options, because they may be for another runtime. A class instance may use the same names for
 * other things (`app.mount`). Throws a TypeError if there is no handler, and for apps of node:http (Express, Koa, Fastify).
 */
export function resolveApp(app: unknown, options: FetchServeOptions = {}): ResolvedApp {
  // Core's serve throws for options that are not an object, with a message that says what to write.
  const given = typeof options === 'object' && options !== null ? options : undefined
  const found = findHandlers(app)
  const fetch = found.fetch
  const authorize = given?.authorize ?? found.authorize
  if (fetch === undefined && authorize === undefined) throw new TypeError(noHandler(app))
  if (given === undefined) return { fetch, authorize, handlerOptions: PROGRAM_DEFAULTS, options }
  const all: FetchServeOptions = { ...optionsOf(app), ...given }
  const { authorize: _, overrideGlobalObjects, ...serveOptions } = all
  const handlerOptions = overrideGlobalObjects === undefined ? PROGRAM_DEFAULTS : { overrideGlobalObjects }
  return { fetch, authorize, handlerOptions, options: serveOptions }
}

// Leaves out functions and objects that are not options, because an app may have other members than `fetch` (`scheduled` of a Worker,
// `hooks` of Nitro). Passes on any other unknown member, so that core's serve throws for a misspelt option.
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
  // The app may be `{ fetch: expressApp }`.
  const inner = nodeAppKind(source.fetch)
  if (inner !== undefined) throw nodeAppError(inner)
  const authorize = boundMethod(source, source.authorize)
  const exported = source.default === undefined || source.default === app ? {} : findHandlers(source.default)
  const fetch = exported.fetch ?? boundMethod(source, source.fetch)
  if (fetch === undefined && typeof source === 'function') {
    if (hasResponseParameter(source)) throw nodeAppError('a function with a parameter for the response')
    return { fetch: source as FetchHandler }
  }
  return { fetch, authorize: exported.authorize ?? authorize }
}

// The methods of the app may need `this`.
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
  return `serve() found no fetch handler in ${what}. Pass a function (request) => Response, an object with a \`fetch\` method (a Hono or h3 app, { fetch }), or a module whose default export is one of these.`
}
