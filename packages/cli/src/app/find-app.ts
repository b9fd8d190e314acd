import { Server } from 'node:http'
import type { RequestListener } from '@fcgi-bridge/express-adapter'
import type { AuthorizeHandler, FetchHandler } from '@fcgi-bridge/fetch-adapter'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'

/** What a module exports, as it is served. `what` names it for people: `an Express app`. */
export type App =
  | { kind: 'listener'; what: string; listener: RequestListener }
  | { kind: 'fetch'; what: string; fetch?: FetchHandler; authorize?: AuthorizeHandler }

export type AppKind = App['kind']

export interface FindOptions {
  /** Takes a bare function for that, without looking at it. */
  as?: AppKind | undefined
  /** The export to take; default: the default export, `module.exports`, else an export named `fetch`, `app` or `handler`. */
  export?: string | undefined
}

/**
 * Finds the app in a module's namespace: an Express or Koa or Fastify app, a listener, an `http.Server` that does not listen, an
 * object with `fetch`, a function of a Request, an authorizer, or a promise of one of them. `file` is for messages.
 *
 * Throws a Failure that says what was found instead, and what to write.
 */
export async function findApp(
  namespace: Record<string, unknown>,
  file: string,
  options: FindOptions = {},
): Promise<App> {
  const exported = await pick(namespace, file, options.export)
  const app = await recognize(exported.value, options.as, file)
  if (app !== undefined) return withAuthorizer(app, namespace)
  throw notAnApp(namespace, file, exported.name)
}

interface Exported {
  name: string
  value: unknown
}

const USUAL_NAMES = ['fetch', 'app', 'handler', 'authorize'] as const

async function pick(
  namespace: Record<string, unknown>,
  file: string,
  wanted: string | undefined,
): Promise<Exported> {
  // What a CommonJS module exports is the default export, and its properties may be named exports or not.
  const main = await unwrapped(namespace.default)
  if (wanted !== undefined) {
    const value = namespace[wanted] ?? (main as Record<string, unknown> | undefined | null)?.[wanted]
    if (value !== undefined) return { name: wanted, value: await value }
    throw new Failure(
      EXIT.app,
      `${file} has no export '${wanted}'. It exports ${listOf(exportNames(namespace, main))}.`,
    )
  }
  if (isSomething(main)) return { name: 'default', value: main }
  const source = namespace as Record<string, unknown>
  for (const name of USUAL_NAMES) {
    const value = await (source[name] ?? (main as Record<string, unknown> | undefined)?.[name])
    if (value === undefined) continue
    return name === 'fetch' || name === 'authorize'
      ? { name, value: { ...(main as object | undefined), ...namespace } }
      : { name, value }
  }
  return { name: 'default', value: main }
}

// TypeScript and Babel leave { __esModule: true, default } in module.exports.
async function unwrapped(exported: unknown): Promise<unknown> {
  const value = await exported
  const inner = value as { __esModule?: unknown; default?: unknown } | null | undefined
  return inner?.__esModule === true && inner.default !== undefined ? await inner.default : value
}

// Nothing is what a CommonJS module exports that assigns nothing, or only properties.
function isSomething(value: unknown): boolean {
  if (value === undefined || value === null) return false
  if (typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype) return true
  return hasMethod(value, 'fetch') || hasMethod(value, 'authorize') || isKoa(value)
}

async function recognize(value: unknown, as: AppKind | undefined, file: string): Promise<App | undefined> {
  if (typeof value === 'function' && as !== undefined) return asKind(value, as)
  if (isKoa(value))
    return { kind: 'listener', what: 'a Koa app', listener: value.callback() as RequestListener }
  if (isFastify(value)) {
    await value.ready()
    return { kind: 'listener', what: 'a Fastify app', listener: value.routing }
  }
  if (value instanceof Server) return await ofServer(value, file)
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
  if (kind !== undefined) return asKind(value, kind)
  throw new Failure(
    EXIT.app,
    `${file} exports a function, and whether it is called as (request, response), or as (request) and returns a Response, ` +
      'can not be seen.\nSay --as listener, or --as fetch.',
  )
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

async function ofServer(server: Server, file: string): Promise<App> {
  // listen() looks its address up first.
  await new Promise((resolve) => setImmediate(resolve))
  if (server.listening) {
    throw new Failure(
      EXIT.app,
      `${file} exports an HTTP server that listens already. Export it without listen(): here, the front server speaks HTTP.`,
    )
  }
  const listener: RequestListener = (request, response) => server.emit('request', request, response)
  return { kind: 'listener', what: 'an http.Server', listener }
}

// A module may say its authorizer beside its app.
function withAuthorizer(app: App, namespace: Record<string, unknown>): App {
  if (app.kind !== 'fetch' || app.authorize !== undefined) return app
  const owner = [namespace, namespace.default].find((place) => hasMethod(place, 'authorize'))
  if (!hasMethod(owner, 'authorize')) return app
  return { ...app, authorize: (owner.authorize as AuthorizeHandler).bind(owner) }
}

function notAnApp(namespace: Record<string, unknown>, file: string, name: string): Failure {
  const main = namespace.default
  const names = exportNames(namespace, main)
  const lines =
    names.length === 0
      ? [`${file} exports nothing, so there is no app to serve.`]
      : [
          name === 'default' && namespace.default === undefined
            ? `${file} exports ${listOf(names)}, and none of them is known for an app.`
            : `The export '${name}' of ${file} is no app: ${describe(name === 'default' ? main : namespace[name])}.`,
        ]
  lines.push(
    'Write `export default app` (or `module.exports = app`) with an Express app, a listener (req, res) => …, { fetch }, or a',
    'function of a Request; or name another export with --export NAME.',
    'An app that calls listen() or serve() itself needs neither here.',
  )
  return new Failure(EXIT.app, lines.join('\n'))
}

function exportNames(namespace: Record<string, unknown>, main: unknown): string[] {
  const ofMain = typeof main === 'object' && main !== null ? Object.keys(main) : []
  const own = Object.keys(namespace).filter((name) => name !== 'module.exports')
  // An empty module.exports is no export.
  const isEmpty =
    typeof main === 'object' &&
    main !== null &&
    ofMain.length === 0 &&
    Object.getPrototypeOf(main) === Object.prototype
  return [...new Set([...own.filter((name) => !(name === 'default' && isEmpty)), ...ofMain])]
}

function listOf(names: readonly string[]): string {
  return names.length === 0 ? 'nothing' : names.map((name) => `'${name}'`).join(', ')
}

function describe(value: unknown): string {
  if (typeof value !== 'object' || value === null) return `it is ${String(value)}`
  const keys = Object.keys(value).slice(0, 8)
  return `it is an object with ${keys.join(', ') || 'nothing in it'}`
}

function hasMethod<Name extends string>(value: unknown, name: Name): value is Record<Name, unknown> {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function'
  return isObject && typeof (value as Record<Name, unknown>)[name] === 'function'
}

function isKoa(value: unknown): value is { callback(): unknown } {
  return hasMethod(value, 'callback') && Array.isArray((value as { middleware?: unknown }).middleware)
}

function isFastify(value: unknown): value is { ready(): Promise<unknown>; routing: RequestListener } {
  return hasMethod(value, 'ready') && hasMethod(value, 'routing')
}
