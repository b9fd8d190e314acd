import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import type { FastCgiServer, ListenOptions } from '@fcgi-bridge/core'
import { parseListenArguments } from './listen-arguments.ts'
import { completeListenError } from './listening-error.ts'

/**
 * Starts a FastCGI server for an `http.Server`. Without `place`, it listens where systemd, the front server or FCGI_BRIDGE_LISTEN says,
 * with a queue of `backlog` connections.
 */
export type StartListening = (
  place: ListenOptions | undefined,
  backlog?: number | undefined,
) => Promise<FastCgiServer>

/** How a server listens if the program was written for HTTP. */
export interface ProgramOptions {
  /** Returns the address for `address()`: the one at which the program would listen for HTTP. */
  addressOf: (place: ListenOptions | undefined) => AddressInfo | string
  /**
   * Start only after the program's listeners for 'listening' have run, and only if they did not close the server. A program that
   * checks whether a port is free closes it there. A socket that the process inherited cannot be opened again.
   */
  startsLate: boolean
}

/** The time from `listen()` to `close()`. */
interface Cycle {
  readonly starting: Promise<FastCgiServer>
  /** The result of `address()` if the program was written for HTTP. */
  readonly reportedAddress: AddressInfo | string | undefined
  /** Undefined until it listens. */
  fcgi: FastCgiServer | undefined
}

// The servers of this process that listened and are closing.
const closing = new Set<Cycle>()

// Milliseconds until a server tries again to listen on an address that a closing server still uses.
const RETRY_PAUSE = 10

/**
 * The methods of an `http.Server` that concern its connections, for a server that listens for FastCGI. They have the arguments, results
 * and events of Node's methods. After `close()` the server can listen again.
 */
export class HttpListening {
  readonly #server: Server
  readonly #start: StartListening
  readonly #program: ProgramOptions | undefined
  #cycle: Cycle | undefined
  /**
   * What `address()` returns after a signal, or the end of a CGI request, has closed the server of a program that was written for HTTP. The
   * program does not know that the server has closed: Fastify calls `address()` after it has looked up `localhost`.
   */
  #addressAtEnd: AddressInfo | string | undefined
  // Closed servers whose last requests are running.
  readonly #ending = new Set<Cycle>()
  #isReferenced = true

  constructor(server: Server, start: StartListening, program?: ProgramOptions) {
    this.#server = server
    this.#start = start
    this.#program = program
  }

  /**
   * Listens at the address in the arguments. Without one, it listens where systemd, the front server or FCGI_BRIDGE_LISTEN says. Emits
   * 'listening' or 'error'. Throws the errors of net.Server for invalid arguments, and if the server already listens.
   */
  listen(...args: readonly unknown[]): Server {
    const { place, callback, signal } = parseListenArguments(args)
    if (this.#cycle !== undefined) {
      throw withCode(
        'ERR_SERVER_ALREADY_LISTEN',
        'Listen method has been called more than once without closing.',
      )
    }
    if (callback !== undefined) this.#server.once('listening', callback)
    const program = this.#program
    const cycle: Cycle = {
      starting: program?.startsLate ? this.#startLate(place) : this.#startWhenFree(place),
      reportedAddress: program?.addressOf(place),
      fcgi: undefined,
    }
    this.#cycle = cycle
    cycle.starting.then(
      (fcgi) => this.#onListening(cycle, fcgi),
      (error: unknown) => this.#onError(cycle, completeListenError(error, place)),
    )
    if (signal !== undefined) this.#closeOnAbort(signal, cycle)
    return this.#server
  }

  get listening(): boolean {
    return this.#cycle?.fcgi !== undefined || this.#cycle?.reportedAddress !== undefined
  }

  /**
   * The address for FastCGI, or the one that the program asked for, if it was written for HTTP. A path for a Unix socket, `fd 0` for an
   * inherited socket. Null if the server does not listen.
   */
  address(): AddressInfo | string | null {
    return this.#cycle?.reportedAddress ?? this.#cycle?.fcgi?.address() ?? this.#addressAtEnd ?? null
  }

  /** Stops accepting connections, and lets running requests finish, for at most `drainTimeout`. Then emits 'close'. */
  close(callback?: (error?: Error) => void): Server {
    const cycle = this.#cycle
    this.#addressAtEnd = undefined
    if (typeof callback === 'function') {
      const error =
        cycle === undefined ? withCode('ERR_SERVER_NOT_RUNNING', 'Server is not running.') : undefined
      this.#server.once('close', () => callback(error))
    }
    this.#cycle = undefined
    if (cycle === undefined) this.#emitCloseIfEnded()
    else this.#end(cycle)
    return this.#server
  }

  /** Closes all connections of front servers. Running requests are aborted. */
  closeAllConnections(): void {
    for (const { fcgi } of this.#cycles) fcgi?.closeAllConnections()
  }

  /** Closes the connections of front servers that have no running request. */
  closeIdleConnections(): void {
    for (const { fcgi } of this.#cycles) fcgi?.closeIdleConnections()
  }

  /** Calls `callback` with the number of connections of front servers. */
  getConnections(callback: (error: Error | null, count: number) => void): Server {
    let count = 0
    for (const { fcgi } of this.#cycles) count += fcgi?.stats().connections ?? 0
    process.nextTick(callback, null, count)
    return this.#server
  }

  ref(): Server {
    this.#isReferenced = true
    this.#cycle?.fcgi?.ref()
    return this.#server
  }

  unref(): Server {
    this.#isReferenced = false
    this.#cycle?.fcgi?.unref()
    return this.#server
  }

  async dispose(): Promise<void> {
    if (this.#cycle !== undefined) await new Promise<void>((resolve) => this.close(() => resolve()))
  }

  get #cycles(): Cycle[] {
    return this.#cycle === undefined ? [...this.#ending] : [this.#cycle, ...this.#ending]
  }

  #onListening(cycle: Cycle, fcgi: FastCgiServer): void {
    cycle.fcgi = fcgi
    if (this.#cycle !== cycle) return
    if (!this.#isReferenced) fcgi.unref()
    // A signal ends a program by closing its FastCGI servers.
    fcgi.once('close', () => {
      if (this.#cycle !== cycle) return
      this.#cycle = undefined
      this.#addressAtEnd = cycle.reportedAddress
      this.#emitCloseIfEnded()
    })
    if (!this.#program?.startsLate) this.#emitListening(cycle)
  }

  // Emit on a tick, not in a promise callback. There, an error that a listener throws would become a rejection.
  #emitListening(cycle: Cycle | undefined): void {
    process.nextTick(() => {
      if (this.#cycle === cycle) this.#server.emit('listening')
    })
  }

  // With node:http, the address is free when close() returns. Here a closed server first accepts the connections in its queue.
  async #startWhenFree(place: ListenOptions | undefined): Promise<FastCgiServer> {
    for (;;) {
      try {
        return await this.#start(place)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || closing.size === 0) throw error
        await setTimeout(RETRY_PAUSE)
      }
    }
  }

  async #startLate(place: ListenOptions | undefined): Promise<FastCgiServer> {
    // `listen` sets #cycle when this method returns its promise.
    await undefined
    const cycle = this.#cycle
    this.#emitListening(cycle)
    await new Promise((resolve) => setImmediate(resolve))
    if (cycle === undefined || this.#cycle !== cycle) throw new Error('The server was closed.')
    return this.#start(place)
  }

  #onError(cycle: Cycle, error: unknown): void {
    if (this.#cycle !== cycle) return
    this.#cycle = undefined
    process.nextTick(() => this.#server.emit('error', error as Error))
  }

  #end(cycle: Cycle): void {
    this.#ending.add(cycle)
    // Close at once if it listens.
    const closed = cycle.fcgi?.close() ?? cycle.starting.then((fcgi) => fcgi.close())
    if (cycle.fcgi !== undefined) closing.add(cycle)
    closed
      .catch(() => {})
      .finally(() => {
        closing.delete(cycle)
        this.#ending.delete(cycle)
        this.#emitCloseIfEnded()
      })
  }

  #emitCloseIfEnded(): void {
    if (this.#cycle === undefined && this.#ending.size === 0) {
      process.nextTick(() => this.#server.emit('close'))
    }
  }

  #closeOnAbort(signal: AbortSignal, cycle: Cycle): void {
    const close = (): void => {
      if (this.#cycle === cycle) this.close()
    }
    if (signal.aborted) process.nextTick(close)
    else {
      signal.addEventListener('abort', close, { once: true })
      this.#server.once('close', () => signal.removeEventListener('abort', close))
    }
  }
}

function withCode(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}

/** Replaces methods of `server` with those of `listening`. */
export function setListening(server: Server, listening: HttpListening): void {
  const methods: PropertyDescriptorMap = {}
  for (const name of METHODS) methods[name] = asMethod(listening[name].bind(listening))
  if (Symbol.asyncDispose !== undefined) {
    methods[Symbol.asyncDispose] = asMethod(() => listening.dispose())
  }
  Object.defineProperties(server, {
    ...methods,
    listening: { configurable: true, get: () => listening.listening },
  })
}

const METHODS = [
  'listen',
  'address',
  'close',
  'closeAllConnections',
  'closeIdleConnections',
  'getConnections',
  'ref',
  'unref',
] as const

function asMethod(value: unknown): PropertyDescriptor {
  return { value, configurable: true, writable: true }
}
