import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { duplexPair } from 'node:stream'
import { Peer } from '@fcgi-bridge/testing'
import { onTestFinished, vi } from 'vitest'
import type { Exchange, Handler } from '../exchange/exchange.ts'
import type { Input } from '../exchange/input.ts'
import type { Handlers } from '../server/handlers.ts'
import type { ServerOptions } from '../server/options.ts'
import { createServer, type FastCgiServer } from '../server/server.ts'

/** The kinds of socket that a front server connects through. */
export const TRANSPORTS = ['tcp', 'unix'] as const

/** One of {@link TRANSPORTS}. */
export type Transport = (typeof TRANSPORTS)[number]

/** A listening server with its errors and connections. Everything is closed when the test ends. */
export class Serving {
  readonly server: FastCgiServer
  /** The server's ends of its connections, in order. */
  readonly sockets: Socket[] = []
  /** The errors that `onError` received. */
  readonly errors: unknown[] = []
  /** The codes of the errors of the event 'protocolError'. */
  readonly protocolErrors: string[] = []

  constructor(handler: Handler | Handlers, options: ServerOptions) {
    const { onError } = options
    this.server = createServer(handler, {
      ...options,
      onError: (error, exchange) => {
        this.errors.push(error)
        return onError?.(error, exchange)
      },
    })
    this.server.on('connection', (socket) => this.sockets.push(socket as Socket))
    this.server.on('protocolError', (error) => this.protocolErrors.push(error.code))
  }

  /** Opens a connection to the server, and waits until the server has accepted it. */
  async connect(): Promise<Peer> {
    const address = this.server.address()!
    const at = typeof address === 'string' ? { path: address } : { host: '127.0.0.1', port: address.port }
    const accepted = once(this.server, 'connection')
    const peer = await Peer.connect(at)
    onTestFinished(() => peer.destroy())
    await accepted
    return peer
  }
}

/** Starts a server on a free port, or on a Unix socket in a new folder. */
export async function listen(
  handler: Handler | Handlers,
  options: ServerOptions = {},
  transport: Transport = 'tcp',
): Promise<Serving> {
  const serving = new Serving(handler, options)
  await serving.server.listen(transport === 'tcp' ? { port: 0 } : { path: join(makeFolder(), 'app.sock') })
  onTestFinished(() => serving.server.close())
  return serving
}

/** Starts a server and opens one connection to it. */
export async function connected(
  handler: Handler | Handlers,
  options?: ServerOptions,
  transport?: Transport,
): Promise<Serving & { peer: Peer }> {
  const serving = await listen(handler, options, transport)
  return Object.assign(serving, { peer: await serving.connect() })
}

/** Connects a peer to `server` in memory. */
export function joined(server: FastCgiServer): Peer {
  const [ours, theirs] = duplexPair()
  server.acceptStream(theirs)
  const peer = new Peer(ours)
  onTestFinished(() => peer.destroy())
  return peer
}

/** Waits until the server's end of a connection is closed, with or without an error. */
export async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
}

/** Replaces these timers by fake ones until the test ends. `vi.advanceTimersByTime` advances them. */
export function stopClock(...timers: ('setInterval' | 'setTimeout')[]): void {
  vi.useFakeTimers({
    toFake: timers.flatMap((name) => [name, name.replace('set', 'clear') as 'clearTimeout']),
  })
  onTestFinished(() => void vi.useRealTimers())
}

/** Creates a folder, which is removed when the test ends. */
export function makeFolder(): string {
  const folder = mkdtempSync('/tmp/fcgi-bridge-')
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A handler that passes its exchanges to the test. */
export class App {
  /** All exchanges, in order. */
  readonly exchanges: Exchange[] = []
  #taken = 0
  #waiting: (() => void)[] = []

  readonly handler: Handler = (exchange) => {
    this.exchanges.push(exchange)
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /** Waits for the next exchange that has not been returned yet. */
  async next(): Promise<Exchange> {
    while (this.#taken === this.exchanges.length) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    return this.exchanges[this.#taken++]!
  }
}

/** Responds with the method, the target and the body of the request. */
export const echo: Handler = async (exchange) => {
  const body = await readAll(exchange.stdin)
  exchange.writeHead(200, ['Content-Type', 'text/plain'])
  exchange.end(Buffer.concat([Buffer.from(`${exchange.method} ${exchange.target} `), body]))
}

/** Reads an input to its end. Rejects with its error. */
export function readAll(input: Input): Promise<Buffer> {
  const chunks: Buffer[] = []
  return new Promise((resolve, reject) => {
    const read = (): void => {
      for (let chunk = input.read(); chunk !== null; chunk = input.read()) chunks.push(chunk)
      if (input.error !== undefined) reject(input.error)
      else if (input.ended) resolve(Buffer.concat(chunks))
    }
    input.onReadable = read
    read()
  })
}

/** Waits until the exchange is aborted. Returns the reason. */
export function abortion(exchange: Exchange): Promise<Error> {
  return new Promise((resolve) => {
    exchange.onAbort = resolve
  })
}

/** Returns a promise and its resolve and reject functions. */
export function deferred<T = void>(): {
  promise: Promise<T>
  resolve: (value: T) => void
  reject: (error: unknown) => void
} {
  let functions!: { resolve: (value: T) => void; reject: (error: unknown) => void }
  const promise = new Promise<T>((resolve, reject) => {
    functions = { resolve, reject }
  })
  return { promise, ...functions }
}
