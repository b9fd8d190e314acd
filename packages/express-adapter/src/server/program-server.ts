// Makes the HTTP server of a program serve FastCGI: replaces the listen() of Node's servers before the program loads.

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

/** Options of {@link serveProgramServer}. */
export interface ProgramServerOptions {
  /** Decides where the server listens. The program's call of `serve()`, if there is one, takes the same launcher. */
  launcher: Launcher
  /** Listening works only once, because the process inherited the socket, or serves a CGI request. */
  listensOnce: boolean
  /** If false, all servers listen for HTTP: in a thread that is not the main one. Default true. */
  isEnabled?: boolean
  /** Called when a server that should serve FastCGI calls `listen()`. */
  onServe?: () => void
  /** Called with the address of each server that listens for HTTP. */
  onHttpListen: (address: string) => void
}

type Place = ListenOptions | undefined

/**
 * Makes one `http.Server` of this program serve FastCGI when it calls `listen()`. It is the server that listens on the port in the
 * variable PORT, or on a descriptor. It is the first server if PORT is not set, or if no server has listened on that port within a second. To the program,
 * the server listens on the address that it asked for.
 *
 * A second server on the same port with another address, which Fastify creates for `localhost`, listens nowhere. All other servers
 * listen for HTTP. An `https` or `http2` server emits an 'error' that says what to do.
 */
export function serveProgramServer(options: ProgramServerOptions): void {
  const { listen } = NetServer.prototype
  const servers = new ProgramServers(options, listen)
  Object.defineProperty(NetServer.prototype, 'listen', {
    configurable: true,
    enumerable: true,
    writable: true,
    value(this: NetServer, ...args: unknown[]): NetServer {
      if (this instanceof HttpServer) return servers.listen(this, args)
      if (options.isEnabled !== false && isTlsOrHttp2(this)) return refuse(this)
      return Reflect.apply(listen, this, args)
    },
  })
}

class ProgramServers {
  readonly #options: ProgramServerOptions
  readonly #nodeListen: NetServer['listen']
  // The server that serves FastCGI.
  #serving: HttpListening | undefined
  #starting: Promise<FastCgiServer> | undefined
  #starts = 0

  constructor(options: ProgramServerOptions, nodeListen: NetServer['listen']) {
    this.#options = options
    this.#nodeListen = nodeListen
  }

  listen(server: HttpServer, args: unknown[]): NetServer {
    const place = readPlace(args)
    if (place === 'unknown' || !this.#isFree(place)) {
      if (place === 'unknown' || !this.#isDuplicate(place)) return this.#listenAsItIs(server, args, place)
      return this.#listenNowhere(server, args)
    }
    const listening = new HttpListening(server, this.#starter(server), {
      addressOf: httpAddressOf,
      startsLate: this.#options.listensOnce,
    })
    setListening(server, listening)
    this.#serving = listening
    this.#options.onServe?.()
    return server.listen(...(args as []))
  }

  // True if no server serves FastCGI yet, and a server with this address should.
  #isFree(place: Place): boolean {
    const { isEnabled = true, launcher } = this.#options
    if (!isEnabled || this.#serving?.listening) return false
    // If another launcher is set, and no server of the program has started, the program has called serve().
    if (currentLauncher() !== launcher && this.#starts === 0) return false
    const { PORT } = process.env
    // A program that listens on a descriptor was passed the socket.
    return !PORT || place?.fd !== undefined || PORT === String(place?.port ?? place?.path)
  }

  // True if the address has the port at which the program believes that the FastCGI server listens.
  #isDuplicate(place: Place): boolean {
    const address = this.#serving?.address()
    return typeof address === 'object' && address !== null && place?.port === address.port
  }

  #starter(server: HttpServer): StartListening {
    const start = prepareFastCgi(server, {})
    // The address is not the one that the program asked for, but the length of its queue is.
    return (place) => {
      const starting = this.#startAfter(this.#starting, () => start(undefined, place?.backlog))
      this.#starting = starting
      return starting
    }
  }

  // A server that was closed while it started uses the address until it has started and closed.
  async #startAfter(
    previous: Promise<FastCgiServer> | undefined,
    start: () => Promise<FastCgiServer>,
  ): Promise<FastCgiServer> {
    const { listensOnce, launcher } = this.#options
    if (listensOnce && this.#starts > 0) throw new Error(LISTENS_ONCE)
    this.#starts++
    await previous?.then(
      (fcgi) => fcgi.close(),
      () => {},
    )
    setLauncher(launcher)
    return start()
  }

  #listenNowhere(server: HttpServer, args: unknown[]): NetServer {
    const program: ProgramOptions = { addressOf: httpAddressOf, startsLate: false }
    setListening(server, new HttpListening(server, async () => createServer(() => {}), program))
    return server.listen(...(args as []))
  }

  #listenAsItIs(server: HttpServer, args: unknown[], place: Place | 'unknown'): NetServer {
    server.once('listening', () => {
      const address = addressText(server.address())
      if (this.#isAwaited) this.#serveUnlessTaken(server, address, place === 'unknown' ? undefined : place)
      else this.#options.onHttpListen(address)
    })
    return Reflect.apply(this.#nodeListen, server, args)
  }

  // True if no server serves FastCGI, because none has listened on PORT so far.
  get #isAwaited(): boolean {
    return (
      this.#options.isEnabled !== false && this.#starts === 0 && currentLauncher() === this.#options.launcher
    )
  }

  // The program may ignore PORT, or listen on it later. If no server listens on PORT in time, this server serves FastCGI as well as HTTP.
  #serveUnlessTaken(server: HttpServer, address: string, place: Place): void {
    const timer = setTimeout(async () => {
      if (!this.#isAwaited || !server.listening) {
        if (server.listening) this.#options.onHttpListen(address)
        return
      }
      this.#options.onServe?.()
      this.#options.onHttpListen(address)
      try {
        const fcgi = await this.#starter(server)(place)
        server.once('close', () => fcgi.close())
      } catch (error) {
        server.emit('error', error as Error)
      }
    }, PORT_TIMEOUT)
    server.once('close', () => clearTimeout(timer))
  }
}

// How many milliseconds a server of the program has to listen on PORT.
const PORT_TIMEOUT = 1000

const LISTENS_ONCE =
  'The program closed its HTTP server and listens again, but the socket that this process inherited was closed with the server. ' +
  'Start the program with FCGI_BRIDGE_LISTEN=127.0.0.1:9000, so that it can listen again.'

// Returns 'unknown' for arguments that only Node can handle, such as the handle of another server, and for those that it refuses.
function readPlace(args: readonly unknown[]): Place | 'unknown' {
  try {
    return parseListenArguments(args).place
  } catch {
    return 'unknown'
  }
}

// Returns the address at which node:http would listen. Programs print it, and other programs parse that output.
function httpAddressOf(place: Place): AddressInfo | string {
  if (place?.path !== undefined) return place.path
  const { host = '::', port = 0 } = place ?? {}
  const address = isIP(host) === 0 ? '127.0.0.1' : host
  // For port 0 (any free port), return 80, which URLs do not show.
  return { address, family: isIP(address) === 6 ? 'IPv6' : 'IPv4', port: port === 0 ? 80 : port }
}

function addressText(address: AddressInfo | string | null): string {
  if (address === null || typeof address === 'string') return address ?? 'a closed socket'
  return address.family === 'IPv6'
    ? `[${address.address}]:${address.port}`
    : `${address.address}:${address.port}`
}

// The classes of node:http2 are not exported.
function isTlsOrHttp2(server: NetServer): boolean {
  return server instanceof HttpsServer || /^Http2(?:Secure)?Server$/.test(server.constructor.name)
}

function refuse(server: NetServer): NetServer {
  const kind = server instanceof HttpsServer ? 'https.Server' : 'HTTP/2 server'
  const error = new Error(
    `This program was started for FastCGI, and its ${kind} cannot serve it. Let the front server handle TLS and HTTP/2, and call ` +
      'http.createServer() when the program is started for FastCGI.',
  )
  process.nextTick(() => server.emit('error', error))
  return server
}
