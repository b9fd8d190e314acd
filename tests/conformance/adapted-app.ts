import { buffer } from 'node:stream/consumers'
import { createServer, type FastCgiServer, type ServerOptions } from '@fcgi-bridge/core'
import { toHandler as toExpressHandler } from '@fcgi-bridge/express-adapter'
import { toHandler as toFetchHandler } from '@fcgi-bridge/fetch-adapter'
import { Peer } from '@fcgi-bridge/testing'
import express, { type Request as ExpressRequest, type Response as ExpressResponse } from 'express'
import { onTestFinished } from 'vitest'

/** A request as the app receives it from an adapter, and the methods with which the app responds. */
interface AppRequest {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly params: Readonly<Record<string, string | undefined>>
  header(name: string): string | null | undefined
  /** The whole body, as latin1. Rejects if it cannot be read. */
  body(): Promise<string>
  /** The number of times that each end or abort event was emitted. */
  readonly events: Readonly<Record<string, number>>
  /** Settles when the app is notified that the front server aborted the request. */
  readonly aborted: Promise<void>
  /** Sends a whole response. */
  respond(text: string): void
  /** Sends a part of the response, the first or a later one. */
  write(text: string): void
  end(): void
  readonly stderr: NodeJS.WritableStream
}

/** The values of {@link AppRequest.events} for an aborted request. */
export const ABORTED: Readonly<Record<AdapterName, Readonly<Record<string, number>>>> = {
  Express: { aborted: 1, requestClosed: 1, responseClosed: 1, finished: 0 },
  fetch: { aborted: 1 },
}

export const ADAPTERS = ['Express', 'fetch'] as const

type AdapterName = (typeof ADAPTERS)[number]

/** An app behind an adapter that passes its requests to the test. It is closed when the test ends. */
export class AdaptedApp {
  readonly requests: AppRequest[] = []
  readonly server: FastCgiServer
  readonly errors: unknown[] = []
  #taken = 0
  #waiting: (() => void)[] = []

  private constructor(name: AdapterName, options: ServerOptions) {
    const handler = name === 'Express' ? this.#express() : this.#fetch()
    this.server = createServer(handler, { ...options, onError: (error) => this.errors.push(error) })
  }

  static async listen(name: AdapterName, options: ServerOptions = {}): Promise<AdaptedApp> {
    const app = new AdaptedApp(name, options)
    await app.server.listen({ port: 0, host: '127.0.0.1' })
    onTestFinished(() => app.server.close())
    return app
  }

  async connect(): Promise<Peer> {
    const { port } = this.server.address() as { port: number }
    const peer = await Peer.connect({ port })
    onTestFinished(() => peer.destroy())
    return peer
  }

  /** Waits for the next request that was not returned before. */
  async next(): Promise<AppRequest> {
    while (this.#taken === this.requests.length) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    return this.requests[this.#taken++]!
  }

  #add(request: AppRequest): void {
    this.requests.push(request)
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #express(): ReturnType<typeof toExpressHandler> {
    const app = express().disable('x-powered-by').disable('etag')
    app.use((request, response) => this.#add(expressRequest(request, response)))
    return toExpressHandler(app)
  }

  #fetch(): ReturnType<typeof toFetchHandler> {
    return toFetchHandler(
      (request, { params, stderr }) =>
        new Promise((resolve) => this.#add(fetchRequest(request, params, stderr, resolve))),
    )
  }
}

function expressRequest(request: ExpressRequest, response: ExpressResponse): AppRequest {
  const events = { aborted: 0, requestClosed: 0, responseClosed: 0, finished: 0 }
  request.on('aborted', () => events.aborted++)
  request.on('close', () => events.requestClosed++)
  // `body` reports the error to tests that read the body.
  request.on('error', () => {})
  const aborted = new Promise<void>((resolve) => {
    response.on('close', () => {
      events.responseClosed++
      if (!response.writableFinished) resolve()
    })
  })
  response.on('finish', () => events.finished++)
  const { params, stderr } = request.fcgi!
  return {
    method: request.method,
    url: request.originalUrl,
    params,
    header: (name) => request.get(name),
    body: async () => (await buffer(request)).toString('latin1'),
    events,
    aborted,
    respond: (text) => void response.type('text').send(text),
    write: (text) => void response.write(text),
    end: () => void response.end(),
    stderr,
  }
}

function fetchRequest(
  request: Request,
  params: AppRequest['params'],
  stderr: AppRequest['stderr'],
  respond: (response: Response) => void,
): AppRequest {
  const events = { aborted: 0 }
  const aborted = new Promise<void>((resolve) => {
    request.signal.addEventListener('abort', () => {
      events.aborted++
      resolve()
    })
  })
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  const stream = new ReadableStream<Uint8Array>({
    start(given) {
      controller = given
    },
    cancel() {
      controller = undefined
    },
  })
  let hasBegun = false
  const { pathname, search } = new URL(request.url)
  return {
    method: request.method,
    url: pathname + search,
    params,
    header: (name) => request.headers.get(name),
    body: async () => Buffer.from(await request.arrayBuffer()).toString('latin1'),
    events,
    aborted,
    respond: (text) => respond(new Response(text)),
    write(text) {
      if (!hasBegun) respond(new Response(stream))
      hasBegun = true
      controller?.enqueue(Buffer.from(text))
    },
    end: () => (hasBegun ? controller?.close() : respond(new Response())),
    stderr,
  }
}
