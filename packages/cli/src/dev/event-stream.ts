import type { IncomingMessage, ServerResponse } from 'node:http'

// How much is buffered for a browser that does not read, in bytes. Above it the stream is destroyed, and the browser reconnects.
const WAITING_MAX = 4 * 1024 * 1024
const CLIENTS_MAX = 32

/** Sends server-sent events to every open page. */
export class EventStream {
  readonly #clients = new Map<ServerResponse, ReadonlySet<string> | undefined>()

  /**
   * Responds to a request with the events; `?only=app` selects those of one name. `greeting` is sent at once, to this client only.
   * Responds with 406 if the request does not accept events, and with 503 if too many streams are open.
   */
  add(
    request: IncomingMessage,
    response: ServerResponse,
    greeting: readonly (readonly [string, unknown])[],
  ): void {
    // An EventSource sends this type. The request for an image or a script of another site's page does not, and would occupy one
    // of the streams. In browsers without Sec-Fetch-Site, isLocal() cannot detect such a request.
    if (request.headers.accept?.includes('text/event-stream') !== true) {
      response.writeHead(406).end('This is an event stream: send Accept: text/event-stream.\n')
      return
    }
    if (this.#clients.size >= CLIENTS_MAX) {
      response.writeHead(503, { 'Retry-After': '5' }).end('Too many pages are open. Close some of them.\n')
      return
    }
    const only = new URL(request.url!, 'http://localhost').searchParams.getAll('only')
    const names = only.length === 0 ? undefined : new Set(only)
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
    response.write('retry: 500\n\n')
    this.#clients.set(response, names)
    response.on('close', () => this.#clients.delete(response))
    for (const [name, data] of greeting) {
      if (names === undefined || names.has(name)) response.write(encode(name, data))
    }
  }

  /** Whether any client gets events of this name. */
  has(name: string): boolean {
    for (const names of this.#clients.values()) if (names === undefined || names.has(name)) return true
    return false
  }

  send(name: string, data: unknown): void {
    if (!this.has(name)) return
    const text = encode(name, data)
    for (const [response, names] of this.#clients) {
      if (names !== undefined && !names.has(name)) continue
      if (response.writableLength > WAITING_MAX) response.destroy()
      else response.write(text)
    }
  }

  /** Ends all streams. */
  close(): void {
    for (const response of this.#clients.keys()) response.end()
  }
}

function encode(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}
