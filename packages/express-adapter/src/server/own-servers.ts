// Makes an HTTP server that a program starts itself serve FastCGI. The listen() of Node's servers is replaced before the program
// loads.

import { Server as HttpServer } from 'node:http'
import { Server as HttpsServer } from 'node:https'
import { type AddressInfo, isIP, Server as NetServer } from 'node:net'
import {
  createServer,
  currentLauncher,
  type FastCgiServer,
  type Launcher,
  type ListenOptions,
  setLauncher,
} from '@fcgi-bridge/core'
import { prepareFastCgi } from './fcgi-start.ts'
import { HttpListening, type ProgramOptions, type StartListening, setListening } from './http-listening.ts'
import { parseListenArguments } from './listen-arguments.ts'

/** How {@link serveOwnServer} decides. */
export interface OwnServerOptions {
  /** Decides where the server listens. It is the program's: `serve()` of a program takes it as well. */
  launcher: Launcher
  /** The process inherited the socket, or a CGI request, so listening works only once. */
  isOnce: boolean
  /** False: no server is taken, in a thread that is not the main one. */
  canTake?: boolean
  /** Called when a server that should serve FastCGI calls `listen()`. */
  onTake?: () => void
  /** Called with the address of each server that listens for HTTP as it is. */
  onOther: (address: string) => void
}

type Place = ListenOptions | undefined

/**
 * Makes one `http.Server` of this program serve FastCGI when it calls `listen()`: the one that listens on the port in the variable
 * PORT, or the first one if PORT is not set, or if none has listened there within a second. To the program, it listens where it
 * asked for. A server on the same port with another address, as Fastify makes one for `localhost`, listens nowhere. All others
 * listen as they are.
 *
 * An `https` or `http2` server gets an 'error' that says what to do.
 */
export function serveOwnServer(options: OwnServerOptions): void {
  const { listen } = NetServer.prototype
  const own = new OwnServers(options, listen)
  Object.defineProperty(NetServer.prototype, 'listen', {
    configurable: true,
    enumerable: true,
    writable: true,
    value(this: NetServer, ...args: unknown[]): NetServer {
      if (this instanceof HttpServer) return own.listen(this, args)
      if (options.canTake !== false && speaksTls(this)) return refuse(this)
      return Reflect.apply(listen, this, args)
    },
  })
}

class OwnServers {
  readonly #options: OwnServerOptions
  readonly #nodeListen: NetServer['listen']
  // Of the server that serves FastCGI.
  #taken: HttpListening | undefined
  #starting: Promise<FastCgiServer> | undefined
  #starts = 0

  constructor(options: OwnServerOptions, nodeListen: NetServer['listen']) {
    this.#options = options
    this.#nodeListen = nodeListen
  }

  listen(server: HttpServer, args: unknown[]): NetServer {
    const place = readPlace(args)
    if (place === 'unknown' || !this.#isFree(place)) {
      if (place === 'unknown' || !this.#isTwin(place)) return this.#listenAsItIs(server, args)
      return this.#listenNowhere(server, args)
    }
    const listening = new HttpListening(server, this.#starter(server), {
      addressOf: imitatedAddress,
      startsLate: this.#options.isOnce,
    })
    setListening(server, listening)
    this.#taken = listening
    this.#options.onTake?.()
    return server.listen(...(args as []))
  }

  // Nobody serves FastCGI, and this is the server that should.
  #isFree(place: Place): boolean {
    const { canTake = true, launcher } = this.#options
    if (!canTake || this.#taken?.listening) return false
    // Without a server of its own that has it, the program has called serve().
    if (currentLauncher() !== launcher && this.#starts === 0) return false
    const { PORT } = process.env
    return !PORT || PORT === String(place?.port ?? place?.path)
  }

  // The server is to listen on the port of the one that serves FastCGI, or on that which it seems to have.
  #isTwin(place: Place): boolean {
    const taken = this.#taken?.address()
    return typeof taken === 'object' && taken !== null && place?.port === taken.port
  }

  #starter(server: HttpServer): StartListening {
    const start = prepareFastCgi(server, {})
    return () => {
      const starting = this.#startAfter(this.#starting, start)
      this.#starting = starting
      return starting
    }
  }

  // A server that was closed while it started still has the address until it has started and closed.
  async #startAfter(
    previous: Promise<FastCgiServer> | undefined,
    start: StartListening,
  ): Promise<FastCgiServer> {
    const { isOnce, launcher } = this.#options
    if (isOnce && this.#starts > 0) throw new Error(ONLY_ONCE)
    this.#starts++
    await previous?.then(
      (fcgi) => fcgi.close(),
      () => {},
    )
    setLauncher(launcher)
    return start(undefined)
  }

  #listenNowhere(server: HttpServer, args: unknown[]): NetServer {
    const program: ProgramOptions = { addressOf: imitatedAddress, startsLate: false }
    setListening(server, new HttpListening(server, async () => createServer(() => {}), program))
    return server.listen(...(args as []))
  }

  #listenAsItIs(server: HttpServer, args: unknown[]): NetServer {
    server.once('listening', () => {
      const address = addressText(server.address())
      if (this.#isAwaited) this.#serveUnlessTaken(server, address)
      else this.#options.onOther(address)
    })
    return Reflect.apply(this.#nodeListen, server, args)
  }

  // No server has been taken so far, because none listens on PORT.
  get #isAwaited(): boolean {
    return (
      this.#options.canTake !== false && this.#starts === 0 && currentLauncher() === this.#options.launcher
    )
  }

  // The program may not care about PORT, or listen there later. Its first server then serves FastCGI as well.
  #serveUnlessTaken(server: HttpServer, address: string): void {
    const timer = setTimeout(async () => {
      if (!this.#isAwaited || !server.listening) {
        if (server.listening) this.#options.onOther(address)
        return
      }
      this.#options.onTake?.()
      this.#options.onOther(address)
      try {
        const fcgi = await this.#starter(server)(undefined)
        server.once('close', () => fcgi.close())
      } catch (error) {
        server.emit('error', error as Error)
      }
    }, PORT_TIMEOUT)
    server.once('close', () => clearTimeout(timer))
  }
}

// Milliseconds in which a server of the program has to listen on PORT.
const PORT_TIMEOUT = 1000

const ONLY_ONCE =
  'The program closed its HTTP server and listens again, but the socket that this process inherited closed together with the ' +
  'server. Start the program with FCGI_BRIDGE_LISTEN=127.0.0.1:9000, where it can listen again.'

// Arguments that are for Node, such as the handle of another server, or that Node refuses.
function readPlace(args: readonly unknown[]): Place | 'unknown' {
  try {
    return parseListenArguments(args).place
  } catch {
    return 'unknown'
  }
}

// node:http would listen there. Programs print it, and parse what they print.
function imitatedAddress(place: Place): AddressInfo | string {
  if (place?.path !== undefined) return place.path
  const { host = '::', port = 0 } = place ?? {}
  const address = isIP(host) === 0 ? '127.0.0.1' : host
  // For a free port, the one that URLs do not show.
  return { address, family: isIP(address) === 6 ? 'IPv6' : 'IPv4', port: port === 0 ? 80 : port }
}

function addressText(address: AddressInfo | string | null): string {
  if (address === null || typeof address === 'string') return address ?? 'a closed socket'
  return address.family === 'IPv6'
    ? `[${address.address}]:${address.port}`
    : `${address.address}:${address.port}`
}

// The classes of node:http2 are not exported.
function speaksTls(server: NetServer): boolean {
  return server instanceof HttpsServer || /^Http2(?:Secure)?Server$/.test(server.constructor.name)
}

function refuse(server: NetServer): NetServer {
  const kind = server instanceof HttpsServer ? 'https.Server' : 'HTTP/2 server'
  const error = new Error(
    `This program was started for FastCGI, and its ${kind} cannot serve it. Let the front server do TLS and HTTP/2, and have the ` +
      'program call http.createServer() where it is started for FastCGI.',
  )
  process.nextTick(() => server.emit('error', error))
  return server
}
