import type { AuthorizeHandler } from '@fcgi-bridge/fetch-adapter'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import { type App, type AppKind, hasMethod, looksLikeFactory, recognize } from './recognize.ts'

/** Which export of a module is the app, and how to call it. */
export interface FindOptions {
  /** How to call an exported function. By default, its parameters decide. */
  as?: AppKind | undefined
  /** The export to take; default: the default export, `module.exports`, else an export named `fetch`, `app`, `handler`, `listener`, `middleware`, `server` or `authorize`. */
  export?: string | undefined
}

/**
 * Finds the app in a module's namespace: an Express, Koa, Fastify or Nest app, a hapi server, a listener, an `http.Server` that
 * does not listen, an object with `fetch`, a function of a Request, an authorizer, or a promise of one of them. `file` is for
 * messages.
 *
 * Throws a Failure that says what the module exports instead, and what to write.
 */
export async function findApp(
  namespace: Record<string, unknown>,
  file: string,
  options: FindOptions = {},
): Promise<App> {
  const exported = await pickExport(namespace, file, options.export)
  const app = recognize(exported.value, options.as)
  if (app === undefined) throw notAnApp(namespace, file, exported)
  if (app === 'unclear') throw new Failure(EXIT.app, unclear(exported, file))
  await app.ready?.()
  return withAuthorizer(app, namespace)
}

function unclear({ name, value }: Exported, file: string): string {
  const as =
    'use --as listener for a function (request, response), or --as fetch for a function of a Request that returns a Response.'
  if (!looksLikeFactory(value)) {
    return `${file} exports a function, and its parameters do not show how to call it: ${as}`
  }
  const { name: own } = value as { name: string }
  // An anonymous default export is called `default`.
  const factory = /^[\w$]+$/.test(own) && own !== 'default' ? own : 'createApp'
  const isClass = /^class\b/.test(String(value))
  const call = isClass ? `new ${factory}()` : `await ${factory}()`
  const write = name === 'default' ? `export default ${call}` : `export const ${name} = ${call}`
  return [
    `${file} exports a ${isClass ? 'class' : 'function that seems to create an app'}, not an app. Export the app itself: ${write}`,
    ...(isClass ? [] : [`If the function is a handler itself, ${as}`]),
  ].join('\n')
}

interface Exported {
  name: string
  value: unknown
  /** For messages: the export alone, if `value` contains other exports as well. */
  own?: unknown
}

const USUAL_NAMES = ['fetch', 'app', 'handler', 'listener', 'middleware', 'server', 'authorize'] as const

async function pickExport(
  namespace: Record<string, unknown>,
  file: string,
  wanted: string | undefined,
): Promise<Exported> {
  // The default export of a CommonJS module is module.exports. Its properties are not always named exports.
  const main = await unwrapped(namespace.default)
  if (wanted !== undefined) {
    const value = namespace[wanted] ?? (main as Record<string, unknown> | undefined | null)?.[wanted]
    if (value !== undefined) return { name: wanted, value: await value }
    throw new Failure(
      EXIT.app,
      `${file} has no export '${wanted}'. It exports ${listOf(exportNames(namespace, main))}.`,
    )
  }
  if (mayBeApp(main)) return { name: 'default', value: main }
  const source = namespace as Record<string, unknown>
  for (const name of USUAL_NAMES) {
    const value = await (source[name] ?? (main as Record<string, unknown> | undefined)?.[name])
    if (value === undefined) continue
    return name === 'fetch' || name === 'authorize'
      ? { name, value: { ...(main as object | undefined), ...namespace, [name]: value }, own: value }
      : { name, value }
  }
  return { name: 'default', value: main }
}

// TypeScript and Babel compile to module.exports = { __esModule: true, default }.
async function unwrapped(exported: unknown): Promise<unknown> {
  const value = await exported
  const inner = value as { __esModule?: unknown; default?: unknown } | null | undefined
  return inner?.__esModule === true && inner.default !== undefined ? await inner.default : value
}

// Returns false for the plain object that holds the named exports of a CommonJS module. Fastify's app is a plain object, too, but has methods
// by which it is recognized.
function mayBeApp(value: unknown): boolean {
  if (value === undefined || value === null) return false
  if (typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype) return true
  return recognize(value, undefined) !== undefined
}

// A module may export an authorizer in addition to its app.
function withAuthorizer(app: App, namespace: Record<string, unknown>): App {
  if (app.kind !== 'fetch' || app.authorize !== undefined) return app
  const owner = [namespace, namespace.default].find((place) => hasMethod(place, 'authorize'))
  if (!hasMethod(owner, 'authorize')) return app
  return { ...app, authorize: (owner.authorize as AuthorizeHandler).bind(owner) }
}

/** A module exports no app. It may still start a server that listens. */
export class NoAppFailure extends Failure {}

function notAnApp(namespace: Record<string, unknown>, file: string, exported: Exported): Failure {
  const lines = [
    describeExports(namespace, file, exported),
    'Write `export default app` (or `module.exports = app`) with an Express app, a listener (req, res) => …, { fetch }, or a',
    'function of a Request; or name another export with --export NAME. A module that calls listen() of an HTTP server, or serve()',
    'of an adapter, needs no export.',
  ]
  return new NoAppFailure(EXIT.app, lines.join('\n'))
}

function describeExports(namespace: Record<string, unknown>, file: string, exported: Exported): string {
  const { name, value, own = value } = exported
  const main = namespace.default
  const names = exportNames(namespace, main)
  if (names.length === 0) return `${file} exports nothing, so there is no app to serve.`
  if (name === 'default' && main === undefined) {
    return `${file} has no default export. It exports ${listOf(names)}, and none of these names is recognized as an app.`
  }
  return `The export '${name}' of ${file} is not an app: ${describe(own)}.`
}

function exportNames(namespace: Record<string, unknown>, main: unknown): string[] {
  const ofMain = typeof main === 'object' && main !== null ? Object.keys(main) : []
  const own = Object.keys(namespace).filter((name) => name !== 'module.exports')
  // Node sets module.exports to an empty object if the module exports nothing.
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
  return `it is an object with ${keys.join(', ') || 'no properties'}`
}
