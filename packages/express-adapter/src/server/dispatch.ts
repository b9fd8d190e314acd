import { IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Handler } from '@fcgi-bridge/core'
import type { RequestListener } from '../app/listener.ts'
import { handle, type MessageClasses, MessageConstructors } from '../handler.ts'
import { type CallListener, ObservedRequests } from '../observed.ts'
import type { ExchangeSocket } from '../socket/exchange-socket.ts'
import { emitConnection } from './node-listeners.ts'

/**
 * Returns a core handler that emits the events of an `http.Server` for each request: 'connection', with the request's socket, and
 * 'checkContinue', 'checkExpectation' or 'request'. The app sees each request on its own connection, which closes after the
 * response. Code that counts connections, or closes idle ones, counts and closes these.
 */
export function serverToHandler(server: Server): Handler {
  const constructors = new ServerConstructors(server)
  const call: CallListener = (request, response, socket) => {
    openConnection(server, socket)
    if (!socket.destroyed) dispatch(server, request, response, socket)
  }
  const observers = new ObservedRequests(call, server)
  return (exchange) => handle(exchange, call, constructors.current, observers)
}

function openConnection(server: Server, socket: ExchangeSocket): void {
  socket.server = server
  const { timeout } = server
  if (timeout > 0) socket.setTimeout(timeout)
  emitConnection(server, socket as unknown as Socket)
}

// Emits the event that parserOnIncoming of lib/_http_server.js emits. Without a listener for the expectation of a request, this is
// 'request', because the front server handles `Expect`.
function dispatch(
  server: Server,
  request: IncomingMessage,
  response: ServerResponse,
  socket: ExchangeSocket,
): void {
  const event = eventOf(server, socket)
  if (!server.emit(event, request, response)) throw new Error(`The HTTP server has no '${event}' listener.`)
}

function eventOf(server: Server, { exchange }: ExchangeSocket): string {
  const hasContinue = server.listenerCount('checkContinue') > 0
  const hasExpectation = server.listenerCount('checkExpectation') > 0
  if (!hasContinue && !hasExpectation) return 'request'
  const expectation = exchange.param('HTTP_EXPECT')
  if (expectation === undefined) return 'request'
  const isContinue = /(?:^|\W)100-continue(?:$|\W)/i.test(expectation)
  if (isContinue) return hasContinue ? 'checkContinue' : 'request'
  return hasExpectation ? 'checkExpectation' : 'request'
}

/** The constructors of a server's requests and responses. They come from its Express app, or from the options of `http.createServer()`. */
class ServerConstructors {
  readonly #server: Server
  #listener: unknown
  #current: MessageConstructors

  constructor(server: Server) {
    this.#server = server
    this.#current = this.#make(undefined)
  }

  get current(): MessageConstructors {
    const server = this.#server
    const listener = server.listenerCount('request') === 1 ? server.listeners('request')[0] : undefined
    if (listener !== this.#listener) {
      this.#listener = listener
      this.#current = this.#make(listener as RequestListener | undefined)
    }
    return this.#current
  }

  #make(listener: RequestListener | undefined): MessageConstructors {
    return new MessageConstructors(listener ?? noListener, {
      Request: classOf<MessageClasses['Request']>(this.#server, 'IncomingMessage', IncomingMessage),
      Response: classOf<MessageClasses['Response']>(this.#server, 'ServerResponse', ServerResponse),
    })
  }
}

function noListener(): void {}

// http.createServer() keeps its options IncomingMessage and ServerResponse on the server, under symbols with these descriptions. Undefined for
// Node's own class.
function classOf<Class>(server: Server, description: string, standard: unknown): Class | undefined {
  const symbol = Object.getOwnPropertySymbols(server).find((own) => own.description === description)
  const found = symbol === undefined ? undefined : (server as unknown as Record<symbol, unknown>)[symbol]
  return typeof found === 'function' && found !== standard ? (found as Class) : undefined
}
