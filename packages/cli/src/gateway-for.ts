import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { types } from 'node:util'
import { createGateway, type GatewayOptions } from '@fcgi-bridge/client'
import {
  createServer as createFastCgiServer,
  type FastCgiServer,
  type Handlers,
  type ServerOptions,
} from '@fcgi-bridge/core'
import { findApp } from './app/find-app.ts'
import { loadHandlers } from './app/handlers.ts'
import { type AppKind, hasMethod, looksLikeFactory, recognize } from './app/recognize.ts'

/** Options of {@link gatewayFor}, in addition to those of the gateway. */
export interface GatewayForOptions extends Omit<GatewayOptions, 'scriptName'> {
  /** How to call a function whose parameters do not show whether it is a listener or a fetch handler. */
  readonly as?: AppKind
  /** Where the app is mounted below the site's root, such as `/shop`. Default: `''`, the root. */
  readonly mount?: '' | `/${string}`
  /** Limits and timeouts of the FastCGI server. */
  readonly server?: Omit<ServerOptions, 'mount'>
}

/**
 * Creates an HTTP server that forwards its requests to an app through FastCGI, for tests:
 * `await supertest(gatewayFor(app)).get('/')`. The first request starts a FastCGI server on a port of 127.0.0.1. `close()` closes
 * both. The HTTP server may listen again.
 *
 * `app` is an Express, Koa, Fastify, connect or Nest app, a hapi server, a listener `(req, res)`, `{ fetch }`, a function of a Request, handlers of
 * `@fcgi-bridge/core` as `{ responder }`; or a promise of one of them, or of a module with one: `gatewayFor(import('./app.js'))`.
 *
 * Throws TypeError if `app` is not an app. If a promise resolves to something else, every request gets a 500.
 */
export function gatewayFor(app: object, options: GatewayForOptions = {}): Server {
  // If `app` is not a promise, find() throws at once.
  const found = types.isPromise(app) ? findPromised(app, options) : find(app, options)
  // Each request reports the rejection. Without this, it would be unhandled until the first request.
  if (types.isPromise(found)) found.catch(() => {})
  const start = async (): Promise<Running> => {
    const { handlers, ready } = await found
    await ready?.()
    return startServers(await handlers, options)
  }

  let running: Promise<Running> | undefined
  const server = createServer()
  for (const event of ['request', 'checkContinue'] as const) {
    server.on(event, (request: IncomingMessage, response: ServerResponse) => {
      running ??= start()
      running.then(
        ({ gateway }) => gateway.emit(event, request, response),
        (error: Error) => respondWithError(response, error),
      )
    })
  }
  server.on('close', () => {
    running?.then(stop, () => {})
    running = undefined
  })
  return server
}

interface Running {
  gateway: Server
  fastCgi: FastCgiServer
}

async function startServers(handlers: Handlers, options: GatewayForOptions): Promise<Running> {
  const { as: _, mount = '', server, ...gatewayOptions } = options
  const fastCgi = createFastCgiServer(handlers, { ...server, ...(mount !== '' && { mount }) })
  // TCP: a Unix socket would leave a file if the process is killed.
  await fastCgi.listen({ host: '127.0.0.1', port: 0 })
  const { port } = fastCgi.address() as AddressInfo
  const gateway = createGateway({ host: '127.0.0.1', port }, { ...gatewayOptions, scriptName: mount })
  return { gateway, fastCgi }
}

async function stop({ gateway, fastCgi }: Running): Promise<void> {
  // The gateway never listened. close() ends its FastCGI connections.
  gateway.close()
  await fastCgi.close()
}

interface Found {
  handlers: Handlers | Promise<Handlers>
  ready?: (() => Promise<unknown>) | undefined
}

async function findPromised(app: Promise<unknown>, options: GatewayForOptions): Promise<Found> {
  const value = await app
  // types.isModuleNamespaceObject() is false for the module objects that test runners create.
  if (Object.prototype.toString.call(value) !== '[object Module]') return find(value, options)
  return {
    handlers: loadHandlers(await findApp({ ...(value as object) }, 'The module', { as: options.as }), false),
  }
}

function find(value: unknown, { as }: GatewayForOptions): Found {
  if (hasMethod(value, 'responder')) return { handlers: value as unknown as Handlers }
  const app = recognize(value, as)
  if (app === undefined) {
    throw new TypeError(
      'gatewayFor() takes an app: an Express, Koa or Fastify app, a listener (req, res) => …, { fetch }, a function of a Request, or ' +
        '{ responder }.',
    )
  }
  if (app === 'unclear') {
    if (looksLikeFactory(value)) {
      throw new TypeError(
        'gatewayFor() takes an app, and this function seems to create one. Call it: gatewayFor(createApp()). ' +
          "If it is a handler, use gatewayFor(app, { as: 'listener' }) or gatewayFor(app, { as: 'fetch' }).",
      )
    }
    throw new TypeError(
      'The parameters of this function do not show whether it is a listener (request, response) or a fetch handler (request). ' +
        "Use gatewayFor(app, { as: 'listener' }) or gatewayFor(app, { as: 'fetch' }).",
    )
  }
  return { handlers: loadHandlers(app, false), ready: app.ready }
}

function respondWithError(response: ServerResponse, error: Error): void {
  process.stderr.write(`gatewayFor(): ${error.stack ?? error}\n`)
  response.writeHead(500, { 'Content-Type': 'text/plain; charset=utf-8' })
  response.end(`500 Internal Server Error\n\nThe app could not be started: ${error.message}\n`)
}
