import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ExchangeObserver } from '@fcgi-bridge/client'
import type { AppProcess } from './app-process.ts'
import { EventStream } from './event-stream.ts'
import { ExchangeLog, type KeptExchange, summaryOf } from './exchange-log.ts'
import { explain, explainHeaders } from './explain.ts'
import { isLocal } from './local.ts'

// The page and the files that it loads, by their paths.
const FILES: Record<string, { name: string; type: string }> = {
  '/__fcgi': { name: 'index.html', type: 'text/html' },
  '/__fcgi/': { name: 'index.html', type: 'text/html' },
  '/__fcgi/inspector.css': { name: 'inspector.css', type: 'text/css' },
  ...Object.fromEntries(
    ['inspector.js', 'detail.js', 'elements.js', 'summary.js'].map((name) => [
      `/__fcgi/${name}`,
      { name, type: 'text/javascript' },
    ]),
  ),
}
const FOLDER = new URL('../../inspector/', import.meta.url)

const NOT_LOCAL = `The inspector responds to requests from this machine only. Open http://localhost/__fcgi, with the port of the app.
It rejects requests that came through a proxy or a tunnel (Forwarded, X-Forwarded-*, Via), and requests from pages of other sites.
`

// Milliseconds between two updates of a page. An upload of 1 GB has 16,000 records, which are not sent one by one.
const UPDATE_INTERVAL = 50

/** Serves the URLs below /__fcgi of `fcgi-bridge dev`: the inspector, its events, and the restart of the app. */
export class DevTools {
  readonly #app: AppProcess
  readonly #mount: string
  readonly #events = new EventStream()
  readonly #log = new ExchangeLog()
  readonly #changed = new Set<KeptExchange>()
  #timer: NodeJS.Timeout | undefined

  /** `mount` is where the app is mounted, `''` or `/shop`. */
  constructor(app: AppProcess, mount: string) {
    this.#app = app
    this.#mount = mount
    app.on('state', () => this.#events.send('app', this.#appState()))
    app.on('message', (message) => {
      if (message.fcgiBridge === 'request') this.#log.onRead(message.trace, message.read)
    })
    this.#log.onChange = (exchange) => this.#sendLater(exchange)
  }

  /** Records the requests of a gateway. */
  get observer(): ExchangeObserver {
    return this.#log
  }

  /** Responds to a request below /__fcgi. Rejects requests from other machines, through proxies, and from pages of other sites. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    if (!isLocal(request)) {
      sendText(response, 403, NOT_LOCAL)
      return
    }
    const { pathname } = new URL(request.url!, 'http://localhost')
    const file = FILES[pathname]
    if (file !== undefined && isReading(request)) {
      sendFile(response, file)
      return
    }
    const id = /^\/__fcgi\/exchanges\/(\d+)$/.exec(pathname)?.[1]
    if (id !== undefined && isReading(request)) {
      this.#sendExchange(response, Number(id))
      return
    }
    switch (`${request.method} ${pathname}`) {
      case 'GET /__fcgi/events':
        this.#events.add(request, response, [
          ['app', this.#appState()],
          ['all', this.#log.list()],
        ])
        return
      case 'POST /__fcgi/restart':
        void this.#app.start()
        sendText(response, 202, 'The app restarts.\n')
        return
      case 'POST /__fcgi/clear':
        this.#log.clear()
        this.#changed.clear()
        this.#events.send('all', [])
        sendText(response, 202, 'The list is empty.\n')
        return
      default:
        sendText(response, 404, 'The inspector has no such page. Open /__fcgi.\n')
    }
  }

  /** Ends the event streams. */
  close(): void {
    clearTimeout(this.#timer)
    this.#events.close()
  }

  #sendLater(exchange: KeptExchange): void {
    if (!this.#events.has('exchanges')) return
    this.#changed.add(exchange)
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#events.send('exchanges', [...this.#changed].map(summaryOf))
      this.#changed.clear()
    }, UPDATE_INTERVAL)
  }

  #sendExchange(response: ServerResponse, id: number): void {
    const exchange = this.#log.get(id)
    if (exchange === undefined) {
      sendText(
        response,
        404,
        'The inspector no longer has this request: it keeps the most recent ones only.\n',
      )
      return
    }
    const { params, read, stderrText, stderrBytes, responseHeaders, firstRecords, lastRecords } = exchange
    const detail = {
      ...summaryOf(exchange),
      requestId: exchange.requestId,
      connection: exchange.connection,
      headTime: exchange.headTime,
      appStatus: exchange.appStatus,
      protocolStatus: exchange.protocolStatus,
      params: params.map(([name, value]) => [readable(name), readable(value)]),
      made: explain(params, read).map((made) => ({ ...made, value: readable(made.value) })),
      headers: explainHeaders(read).map((header) => ({ ...header, value: readable(header.value) })),
      responseHeaders: responseHeaders.map(readable),
      firstRecords,
      lastRecords,
      recordsLeftOut: exchange.recordCount - firstRecords.length - lastRecords.length,
      stderrText: Buffer.concat(stderrText).toString(),
      stderrBytes,
    }
    send(response, 200, 'application/json', JSON.stringify(detail))
  }

  #appState(): { state: string; start: number; mount: string } {
    return { state: this.#app.state.name, start: this.#app.starts, mount: this.#mount }
  }
}

// Decodes bytes, given as latin1, as UTF-8 if they are valid UTF-8.
function readable(text: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(text, 'latin1'))
  } catch {
    return text
  }
}

function isReading({ method }: IncomingMessage): boolean {
  return method === 'GET' || method === 'HEAD'
}

function sendFile(response: ServerResponse, { name, type }: { name: string; type: string }): void {
  send(response, 200, `${type}; charset=utf-8`, readFileSync(new URL(name, FOLDER)))
}

function sendText(response: ServerResponse, status: number, text: string): void {
  send(response, status, 'text/plain; charset=utf-8', text)
}

function send(response: ServerResponse, status: number, type: string, body: string | Buffer): void {
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    // The page inserts the content of requests as text only. This header is a second defence against scripts in it.
    'Content-Security-Policy': "default-src 'self'; img-src data:; frame-ancestors 'none'",
    'X-Content-Type-Options': 'nosniff',
  })
  response.end(response.req.method === 'HEAD' ? undefined : body)
}
