import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import type { Listening } from './ports.ts'
import { Site } from './site.ts'

/** A connection of a front server to an app. */
interface Watched {
  /** The params of its requests. */
  requestText: string
  /** The number of pieces that the app has sent since the last request. */
  pieces: number
}

/**
 * A site with a relay between the front servers and the apps that listen, so that a test knows what an app has sent.
 */
export class WatchedSite extends Site {
  readonly #relays: Server[] = []
  readonly #connections: Watched[] = []
  readonly #sockets: Socket[] = []
  #changed: (() => void)[] = []

  override async startApp(...args: Parameters<Site['startApp']>): ReturnType<Site['startApp']> {
    const started = await super.startApp(...args)
    return { ...started, at: await this.#relay(started.at) }
  }

  /** Waits until the app has sent `count` pieces on the connection of the request for `target`. */
  async sent(target: string, count: number): Promise<void> {
    const isSent = ({ requestText, pieces }: Watched) => requestText.includes(target) && pieces >= count
    while (!this.#connections.some(isSent)) {
      await new Promise<void>((resolve) => this.#changed.push(resolve))
    }
  }

  override async stop(): Promise<void> {
    for (const relay of this.#relays) relay.close()
    for (const socket of this.#sockets) socket.destroy()
    await super.stop()
  }

  async #relay(to: Listening): Promise<Listening> {
    const relay = createServer({ allowHalfOpen: true }, (front) => this.#pass(front, to))
    this.#relays.push(relay)
    relay.listen('path' in to ? { path: `${to.path}.relay` } : { host: to.host, port: 0 })
    await once(relay, 'listening')
    const address = relay.address() as AddressInfo | string
    return typeof address === 'string' ? { path: address } : { host: address.address, port: address.port }
  }

  #pass(front: Socket, to: Listening): void {
    const app = connect({ ...to, allowHalfOpen: true })
    const watched: Watched = { requestText: '', pieces: 0 }
    this.#connections.push(watched)
    this.#sockets.push(front, app)
    front.on('data', (chunk: Buffer) => {
      // The piece that begins a request contains the params.
      const text = chunk.toString('latin1', 0, 4096)
      if (!text.includes('REQUEST_URI')) return
      watched.requestText += text
      watched.pieces = 0
    })
    app.on('data', () => {
      watched.pieces++
      for (const resolve of this.#changed.splice(0)) resolve()
    })
    // If one side ends for any reason, end the other.
    for (const passed of [pipeline(front, app), pipeline(app, front)]) passed.catch(() => {})
  }
}
