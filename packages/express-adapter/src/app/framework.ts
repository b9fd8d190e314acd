import { Server } from 'node:http'
import type { RequestListener } from './listener.ts'

/** A Koa app, as far as it is needed. */
export interface KoaApp {
  readonly middleware: readonly unknown[]
  callback(): (...args: never[]) => unknown
}

/** A Fastify app, as far as it is needed. */
export interface FastifyApp {
  ready(): PromiseLike<unknown>
  routing(...args: never[]): unknown
}

/** A NestJS app, on Express or Fastify, as far as it is needed. */
export interface NestApp {
  init(): Promise<unknown>
  getHttpAdapter(): { getInstance(): unknown }
}

/** A hapi server, as far as it is needed. */
export interface HapiServer {
  readonly listener: object
  initialize(): Promise<unknown>
}

/** An app of a framework that is no listener itself, or an `http.Server` that does not listen. */
export type FrameworkApp = Server | KoaApp | FastifyApp | NestApp | HapiServer

/** How a framework's app is served. */
export interface Recognized {
  /** For messages: `a Koa app`. */
  readonly what: string
  readonly listener: RequestListener
  /**
   * Must have settled before the first request. Rejects if the app fails to start, and with an Error that says what to do
   * if an `http.Server` listens already.
   */
  readonly ready?: () => Promise<unknown>
}

/**
 * Recognizes the app of a framework: an `http.Server`, a Koa, Fastify or NestJS app, a hapi server. Undefined for everything
 * else, also for functions, such as Express and connect apps, which are listeners as they are.
 */
export function recognizeFramework(app: unknown): Recognized | undefined {
  if (app instanceof Server) {
    return { what: 'an http.Server', listener: emitRequest(app), ready: () => requireClosed(app) }
  }
  if (isKoa(app)) return { what: 'a Koa app', listener: app.callback() as RequestListener }
  if (isFastify(app)) {
    return {
      what: 'a Fastify app',
      listener: app.routing as RequestListener,
      ready: async () => app.ready(),
    }
  }
  if (isNest(app)) return ofNest(app)
  if (isHapi(app)) {
    const { listener } = app
    return { what: 'a hapi server', listener: emitRequest(listener), ready: async () => app.initialize() }
  }
  return undefined
}

// Nest gives its routes to the framework below it, which is the listener, in init().
function ofNest(app: NestApp): Recognized {
  const instance = app.getHttpAdapter().getInstance()
  const below = recognizeFramework(instance)
  return {
    what: 'a NestJS app',
    listener: below?.listener ?? (instance as RequestListener),
    ready: async () => {
      await app.init()
      await below?.ready?.()
    },
  }
}

function emitRequest(server: Server): RequestListener {
  return (request, response) => server.emit('request', request, response)
}

async function requireClosed(server: Server): Promise<void> {
  // listen() looks up its address first.
  await new Promise((resolve) => setImmediate(resolve))
  if (server.listening) {
    throw new Error(
      'This HTTP server listens already. Leave listen() out: here, the front server speaks HTTP.',
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
