import type { Socket } from 'node:net'
import { leaveSockets } from '../listen/held-sockets.ts'
import type { OpenSocket } from '../listen/open-socket.ts'
import { isStopRequested, requestStop } from '../listen/stop-request.ts'
import type { Claims } from './claims.ts'
import type { ProgramFile } from './program-file.ts'
import { type RelayEvents, relay } from './relay.ts'

/**
 * | state      | a connection of the front server     | next state                                                                |
 * | ---------- | ------------------------------------ | ------------------------------------------------------------------------- |
 * | `relaying` | is relayed to the holder             | `claiming` if the holder refuses, `leaving` at SIGTERM or a new program   |
 * | `claiming` | waits                                | `holding` if this process wins, else the state before                     |
 * | `holding`  | waits until the app is loaded        | the app serves all connections, and handles SIGTERM                       |
 * | `leaving`  | the last ones are relayed            | `claiming` if the holder refuses one of them; else the process exits      |
 */
type State = 'relaying' | 'claiming' | 'holding' | 'leaving'

const SIGNALS = ['SIGTERM', 'SIGUSR1', 'SIGINT'] as const

// Milliseconds. mod_fcgid kills a process 8 seconds after the first signal.
const LEAVING_TIMEOUT = 7000

/** A process that a front server has started with a listening socket. It relays to the holder of the app, or becomes the holder. */
export class SharedProcess {
  readonly #claims: Claims
  readonly #front: OpenSocket
  readonly #program: ProgramFile | undefined
  readonly #waiting: Socket[] = []
  readonly #onSignal = (): void => void this.#leave()
  readonly #relayEvents: RelayEvents = {
    onRefused: (front) => void this.#findHolder(front),
    onClosed: () => {
      this.#relays--
      this.#exitIfLeft()
    },
  }
  #state: State = 'relaying'
  #drained: Promise<void> | undefined
  #relays = 0
  #onHolding: () => void = () => {}

  /** If `program` changes, the process leaves. */
  constructor(claims: Claims, front: OpenSocket, program: ProgramFile | undefined) {
    this.#claims = claims
    this.#front = front
    this.#program = program
  }

  /** Relays connections. Resolves when this process must serve them: the sockets are left to the next server. */
  run(): Promise<void> {
    for (const signal of SIGNALS) process.on(signal, this.#onSignal)
    this.#program?.watch(() => this.#leave())
    this.#front.deliverTo((socket) => this.#accept(socket))
    setImmediate(() => {
      // A signal has arrived before this process could handle it.
      if (isStopRequested()) void this.#leave()
      // Do not wait for a request, because front servers can start processes before. A request that was in the queue has the same effect.
      else if (this.#relays === 0 && this.#state === 'relaying') void this.#probe()
    })
    return new Promise((resolve) => {
      this.#onHolding = resolve
    })
  }

  async #probe(): Promise<void> {
    try {
      const { number, holder } = await this.#claims.connect()
      if (holder === undefined) await this.#claim(number)
      else holder.destroy()
    } catch (error) {
      this.#serveAlone(error)
    }
  }

  #accept(socket: Socket): void {
    if (this.#state === 'claiming' || this.#state === 'holding') this.#waiting.push(socket)
    else this.#relay(socket)
  }

  #relay(socket: Socket): void {
    this.#relays++
    const holder = this.#claims.connectAgain()
    if (holder === undefined) void this.#findHolder(socket)
    else relay(socket, holder, this.#relayEvents)
  }

  async #findHolder(socket: Socket): Promise<void> {
    try {
      const { number, holder } = await this.#claims.connect(socket)
      if (socket.destroyed) holder?.destroy()
      else if (holder === undefined) {
        this.#waiting.push(socket)
        await this.#claim(number)
      } else {
        relay(socket, holder, this.#relayEvents)
        return
      }
    } catch (error) {
      this.#waiting.push(socket)
      this.#serveAlone(error)
    }
    this.#relayEvents.onClosed()
  }

  async #claim(number: number): Promise<void> {
    if (this.#state === 'holding') this.#deliverWaiting()
    if (this.#state === 'claiming' || this.#state === 'holding') return
    this.#state = 'claiming'
    const shared = await this.#claims.claim(number)
    if (shared !== undefined) {
      this.#hold([this.#front, shared])
      return
    }
    this.#state = 'relaying'
    for (const socket of this.#waiting.splice(0)) this.#relay(socket)
    // A signal has arrived meanwhile, or before.
    if (isStopRequested()) void this.#leave()
  }

  // The folder cannot be used, so this process serves the app alone.
  #serveAlone(error: unknown): void {
    if (this.#state === 'holding') {
      this.#deliverWaiting()
      return
    }
    console.error(`fcgi-bridge: this process serves the app alone, because it cannot be shared: ${error}`)
    this.#hold([this.#front])
  }

  #hold(sockets: OpenSocket[]): void {
    this.#state = 'holding'
    this.#front.hold()
    this.#deliverWaiting()
    leaveSockets({
      sockets,
      idleTimeout: undefined,
      onServed: () => {
        for (const signal of SIGNALS) process.removeListener(signal, this.#onSignal)
        this.#program?.unwatch()
        // This process has the old program's settings. The next one will have the new ones.
        if (this.#program?.hasChanged()) requestStop()
      },
    })
    this.#onHolding()
  }

  // Passes the connections that wait to the server of the app, now or when it exists.
  #deliverWaiting(): void {
    for (const socket of this.#waiting.splice(0)) this.#front.accept(socket)
  }

  async #leave(): Promise<void> {
    // The server of the app drains if it finds this, in case this process loads the app.
    requestStop()
    if (this.#state !== 'relaying') return
    this.#state = 'leaving'
    setTimeout(() => this.#state === 'leaving' && process.exit(), LEAVING_TIMEOUT)
    this.#drained ??= this.#front.listener.drain(LEAVING_TIMEOUT / 2, () => this.#relays > 0)
    await this.#drained
    this.#exitIfLeft()
  }

  #exitIfLeft(): void {
    const isClosed = this.#front.listener.closed !== undefined
    if (this.#state === 'leaving' && isClosed && this.#relays === 0) process.exit()
  }
}
