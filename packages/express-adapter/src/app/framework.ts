import { Server } from 'node:http'
import type { RequestListener } from './listener.ts'

/** The members of a Koa app that the adapter uses. */
export interface KoaApp {
  readonly middleware: readonly unknown[]
  callback(): (...args: never[]) => unknown
}

/** The members of a Fastify app that the adapter uses. */
export interface FastifyApp {
  ready(): PromiseLike<unknown>
  routing(...args: never[]): unknown
}

/** The members of a NestJS app, on Express or Fastify, that the adapter uses. */
export interface NestApp {
  init(): Promise<unknown>
  getHttpAdapter(): { getInstance(): unknown }
}

/** The members of a hapi server that the adapter uses. */
export interface HapiServer {
  readonly listener: object
  initialize(): Promise<unknown>
}

/** An app of a framework whose apps are not listeners, or an `http.Server` that does not listen. */
export type FrameworkApp = Server | KoaApp | FastifyApp | NestApp | HapiServer

/** How a framework's app is served. */
export interface Recognized {
  /** The kind of app, for messages: `a Koa app`. */
  readonly what: string
  readonly listener: RequestListener
  /**
   * Starts the app. Await it before the first request. Rejects if the app fails to start, or is an `http.Server` that already
   * listens.
   */
  readonly ready?: () => Promise<unknown>
}

/**
 * Recognizes an `http.Server`, a Koa, Fastify or NestJS app, or a hapi server. Returns undefined for anything else, including functions:
 * Express and connect apps are already listeners.
 */
export function recognizeFramework(app: unknown): Recognized | undefined {
  if (app instanceof Server) {
    return { what: 'an http.Server', listener: emitRequest(app), ready: () => requireNotListening(app) }
  }
  if (isKoa(app)) return { what: 'a Koa app', listener: app.callback() as RequestListener }
  if (isFastify(app)) {
    return {
      what: 'a Fastify app',
      listener: app.routing as RequestListener,
      ready: async () => app.ready(),
    }
  }
  if (isNest(app)) return recognizeNest(app)
  if (isHapi(app)) {
    const { listener } = app
    return { what: 'a hapi server', listener: emitRequest(listener), ready: async () => app.initialize() }
  }
  return undefined
}

// The listener is the app of the framework that Nest uses. Nest registers its routes with it in init().
function recognizeNest(app: NestApp): Recognized {
  const instance = app.getHttpAdapter().getInstance()
  const inner = recognizeFramework(instance)
  return {
    what: 'a NestJS app',
    listener: inner?.listener ?? (instance as RequestListener),
    ready: async () => {
      await app.init()
      await inner?.ready?.()
    },
  }
}

function emitRequest(server: Server): RequestListener {
  return (request, response) => server.emit('request', request, response)
}

async function requireNotListening(server: Server): Promise<void> {
  // `listening` is false until listen() has resolved its address.
  await new Promise((resolve) => setImmediate(resolve))
  if (server.listening) {
    throw new Error(
      'This HTTP server already listens. Remove the call of listen(): the front server handles HTTP.',
    )
  }
}

function isKoa(app: unknown): app is KoaApp {
  return hasMethods(app, 'callback') && Array.isArray((app as Partial<KoaApp>).middleware)
}

function isFastify(app: unknown): app is FastifyApp {
  return hasMethods(app, 'ready', 'routing')
}

function isNest(app: unknown): app is NestApp {
  return hasMethods(app, 'init', 'getHttpAdapter')
}

function isHapi(app: unknown): app is HapiServer & { listener: Server } {
  return hasMethods(app, 'initialize') && hasMethods((app as Partial<HapiServer>).listener, 'emit', 'listen')
}

function hasMethods(value: unknown, ...names: readonly string[]): boolean {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
}
