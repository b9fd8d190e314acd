import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createGateway, type ExchangeObserver } from '@fcgi-bridge/client'
import type { AppProcess, AppState } from './app-process.ts'
import { frameOf } from './describe-error.ts'
import { type ErrorPage, errorPage } from './error-page.ts'
import { TRACE_PARAM } from './messages.ts'

/** Options of {@link createDevServer}. */
interface DevServerOptions {
  app: AppProcess
  /** Where the app is mounted: `''` or `/shop`. */
  mount: string
  /** Gets the requests below /__fcgi. */
  onDevRequest: (request: IncomingMessage, response: ServerResponse) => void
  observer: ExchangeObserver
  /** What the app writes to FCGI_STDERR. */
  onStderr: (chunk: Buffer) => void
  /** Called if a request gets no response, unless the app's process has ended. */
  onError: (error: Error, request: IncomingMessage) => void
  /** Called at the end of each request. */
  onResponse: (request: IncomingMessage, response: ServerResponse, milliseconds: number) => void
}

/** URLs below this path belong to the inspector. */
const DEV_PATH = '/__fcgi'

// How long requests wait for a starting app, in milliseconds.
const START_TIMEOUT = 30_000
// How long to wait for the exit of the app's process after its connection closed, in milliseconds.
const EXIT_TIMEOUT = 3000

/** Creates an HTTP server for an app that restarts. Requests wait while it starts, and get a page that explains a failure. */
export function createDevServer(options: DevServerOptions): Server {
  return new DevServer(options).server
}

class DevServer {
  readonly server: Server
  readonly #options: DevServerOptions
  // Set only while the app is ready.
  #gateway: Server | undefined
  #lastTrace = 0
  readonly #responses = new WeakMap<IncomingMessage, ServerResponse>()

  constructor(options: DevServerOptions) {
    this.#options = options
    this.server = createServer((request, response) => this.#handle('request', request, response))
    this.server.on('checkContinue', (request, response) => this.#handle('checkContinue', request, response))
    options.app.on('state', (state) => this.#onState(state))
    this.#onState(options.app.state)
  }

  #onState(state: AppState): void {
    this.#gateway = state.name === 'ready' ? this.#createGateway(state.path) : undefined
  }

  #handle(event: 'request' | 'checkContinue', request: IncomingMessage, response: ServerResponse): void {
    if (isBelow(DEV_PATH, request.url!)) {
      this.#options.onDevRequest(request, response)
      return
    }
    const begin = performance.now()
    response.on('close', () => this.#options.onResponse(request, response, performance.now() - begin))
    if (!isInMount(this.#options.mount, request.url!)) {
      this.#respond(request, response, outsideMount(this.#options.mount, request.url!), 404)
      return
    }
    if (this.#gateway !== undefined) this.#forward(this.#gateway, event, request, response)
    else void this.#forwardLater(event, request, response)
  }

  async #forwardLater(
    event: 'request' | 'checkContinue',
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const state = await this.#settled(response)
    if (response.destroyed) return
    if (this.#gateway !== undefined) this.#forward(this.#gateway, event, request, response)
    else this.#respond(request, response, pageOf(state))
  }

  // The state after the start of the app, or 'starting' if that takes too long.
  async #settled(response: ServerResponse): Promise<AppState> {
    const { app } = this.#options
    const controller = new AbortController()
    const stop = (): void => controller.abort()
    const timer = setTimeout(stop, START_TIMEOUT)
    response.once('close', stop)
    try {
      return await app.settled(controller.signal)
    } catch {
      return app.state
    } finally {
      clearTimeout(timer)
      response.off('close', stop)
    }
  }

  #forward(
    gateway: Server,
    event: 'request' | 'checkContinue',
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    this.#responses.set(request, response)
    gateway.emit(event, request, response)
  }

  #createGateway(path: string): Server {
    const { mount, observer, onStderr } = this.#options
    return createGateway(
      { path },
      {
        scriptName: mount,
        exposeErrors: true,
        observer,
        onStderr,
        params: () => ({ [TRACE_PARAM]: String(++this.#lastTrace) }),
        onError: (error, request) => this.#onError(error, request),
      },
    )
  }

  #onError(error: Error, request: IncomingMessage): void {
    const response = this.#responses.get(request)!
    if (!isAppGone(error)) {
      this.#options.onError(error, request)
    } else if (!response.headersSent) {
      void this.#explainDeadApp(request, response)
    }
  }

  // The gateway responds with its own page next, which cannot say why the app has ended. Disable writeHead() and end() meanwhile.
  async #explainDeadApp(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { writeHead, end } = response
    Object.assign(response, { writeHead: () => response, end: () => response })
    const { app } = this.#options
    if (app.state.name === 'ready') {
      await once(app, 'state', { signal: AbortSignal.timeout(EXIT_TIMEOUT) }).catch(() => {})
    }
    Object.assign(response, { writeHead, end })
    const { state } = app
    this.#respond(request, response, state.name === 'crashed' ? pageOf(state) : RESTARTED)
  }

  #respond(
    request: IncomingMessage,
    response: ServerResponse,
    page: Omit<ErrorPage, 'start'>,
    status = 502,
  ): void {
    const { type, body } = errorPage({ ...page, start: this.#options.app.starts }, request.headers.accept)
    // The rest of the request body is not read, so the connection cannot be reused.
    if (!request.complete) response.setHeader('Connection', 'close')
    response.writeHead(status, {
      'Content-Type': type,
      'Content-Length': Buffer.byteLength(body),
      'Cache-Control': 'no-store',
    })
    response.end(request.method === 'HEAD' ? undefined : body)
  }
}

const RESTARTED: Omit<ErrorPage, 'start'> = {
  title: 'The app did not respond',
  heading: 'The app was restarted before it responded to this request. Send the request again.',
  text: '',
}

// A front server sends a 404 for a path that none of its locations, ProxyPass or ScriptAlias matches.
function outsideMount(mount: string, url: string): Omit<ErrorPage, 'start'> {
  return {
    title: '404: outside the mount',
    heading: `The app is mounted at ${mount}, and ${url} is outside this mount.`,
    text: `With --mount ${mount}, a front server does not send this request to the app. Open ${mount}/ instead.`,
  }
}

function pageOf(state: AppState): Omit<ErrorPage, 'start'> {
  switch (state.name) {
    case 'failed':
    case 'crashed': {
      const { how, error } = state
      // The stack of a SyntaxError does not name its file and line. Node prints them on standard error.
      const output = error?.frame ? error.stack : state.output
      return {
        title: state.name === 'failed' ? 'The app did not start' : 'The app has crashed',
        heading: error?.message ?? firstError(output) ?? how,
        text: output === '' ? '' : `${output}\n\n${how}`,
        frame: frameOf(output),
        restart: true,
      }
    }
    default:
      return {
        title: 'The app has not started yet',
        heading: `The app has not finished loading after ${START_TIMEOUT / 1000} seconds.`,
        text: 'Check whether its module awaits a promise that never settles.',
        restart: true,
      }
  }
}

// Finds a line such as `TypeError: x is not a function` in the output of a program that did not start.
function firstError(output: string): string | undefined {
  return /^(?:Uncaught )?(?:\w*Error|\w*Exception)\b.*: .*$/m.exec(output)?.[0]
}

function isAppGone(error: Error): boolean {
  const code = String((error as NodeJS.ErrnoException).code)
  return /^(FCGI_ERR_CONNECTION_CLOSED|ECONNREFUSED|ECONNRESET|ENOENT|EPIPE|UND_ERR_SOCKET)$/.test(code)
}

/** Whether a request target, decoded and resolved as the gateway does it, is the mount or a path below it. */
function isInMount(mount: string, target: string): boolean {
  if (mount === '' || target === '*') return true
  // The URL parser treats a backslash as a slash.
  const path = target.replace(/^https?:\/\/[^/?#]*/i, '').replaceAll('\\', '%5C')
  try {
    const { pathname } = new URL(`http://localhost${path.startsWith('/') ? path : `/${path}`}`)
    return isBelow(decodeURI(mount), decodeURIComponent(pathname).replace(/\/{2,}/g, '/'))
  } catch {
    // The gateway rejects an invalid percent-encoding.
    return isBelow(mount, path)
  }
}

function isBelow(prefix: string, url: string): boolean {
  return url.startsWith(prefix) && /^([/?]|$)/.test(url.slice(prefix.length))
}
