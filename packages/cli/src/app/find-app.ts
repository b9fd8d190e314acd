import type { AuthorizeHandler } from '@fcgi-bridge/fetch-adapter'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import { type App, type AppKind, hasMethod, isKoa, recognize } from './recognize.ts'

/** Which export of a module is the app, and what it is. */
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
  const app = recognize(exported.value, options.as)
  if (app === undefined) throw notAnApp(namespace, file, exported.name)
  if (app === 'unclear') {
    throw new Failure(
      EXIT.app,
      `${file} exports a function, and whether it is called as (request, response), or as (request) and returns a Response, ` +
        'can not be seen.\nSay --as listener, or --as fetch.',
    )
  }
  await app.ready?.()
  return withAuthorizer(app, namespace)
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
