import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ExchangeObserver } from '@fcgi-bridge/client'
import type { AppProcess, AppState } from './app-process.ts'
import { EventStream } from './event-stream.ts'
import { isLocal } from './local.ts'

/** What `fcgi-bridge dev` serves below /__fcgi: events for open pages, and a way to start the app again. */
export class DevTools {
  readonly observer: ExchangeObserver = {}
  readonly #app: AppProcess
  readonly #events = new EventStream()

  constructor(app: AppProcess) {
    this.#app = app
    app.on('state', (state) => {
      this.#events.send('app', this.#summary(state))
    })
  }

  /** Answers a request below /__fcgi; refuses those that are not from this machine. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    if (!isLocal(request)) {
      answer(response, 403, 'The inspector shows itself on this machine alone, as http://localhost/__fcgi.\n')
      return
    }
    const { pathname } = new URL(request.url!, 'http://localhost')
    switch (`${request.method} ${pathname}`) {
      case 'GET /__fcgi/events':
        this.#events.add(request, response, [['app', this.#summary(this.#app.state)]])
        return
      case 'POST /__fcgi/restart':
        void this.#app.start()
        answer(response, 202, 'Started again.\n')
        return
      default:
        answer(response, 404, 'There is nothing here.\n')
    }
  }

  /** Ends the event streams. */
  close(): void {
    this.#events.close()
  }

  #summary(state: AppState): { state: string; start: number } {
    return { state: state.name, start: this.#app.starts }
  }
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(text)
}
