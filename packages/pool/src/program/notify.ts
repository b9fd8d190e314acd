// Tells systemd about the pool: sd_notify(3). Node has no Unix datagram sockets, so each message is sent by systemd's own program
// `systemd-notify`. The unit needs NotifyAccess=all: only root can send in the name of another process.

import { execFile } from 'node:child_process'
import type { Pool } from '../master/pool.ts'

// A service that systemd does not supervise sends its state again after this time. Milliseconds.
const REPEAT = 60_000
// The shortest time between two messages for the status line. Milliseconds.
const STATUS_PAUSE = 1000

/** Reports readiness, reloads, the end and the watchdog to systemd, if it asked for them (NOTIFY_SOCKET, WATCHDOG_USEC). */
export function notifySystemd(pool: Pool, env: NodeJS.ProcessEnv = process.env): void {
  if (env.NOTIFY_SOCKET === undefined) return
  const notifier = new Notifier(pool, (message) => send(message, env))
  const watchdog = Number(env.WATCHDOG_USEC) / 1000
  const isOurs = env.WATCHDOG_PID === undefined || Number(env.WATCHDOG_PID) === process.pid
  const interval = watchdog > 0 && isOurs ? watchdog / 2 : REPEAT
  const timer = setInterval(() => notifier.repeat(), interval).unref()
  pool.once('close', () => clearInterval(timer))
}

/** Turns a pool's events into messages to the service manager: lines of `NAME=value`. */
class Notifier {
  readonly #pool: Pool
  readonly #send: (message: readonly string[]) => void
  #state: 'starting' | 'ready' | 'reloading' | 'stopping' = 'starting'
  #status: NodeJS.Timeout | undefined

  constructor(pool: Pool, send: (message: readonly string[]) => void) {
    this.#pool = pool
    this.#send = send
    pool.on('start', ({ reason }) => {
      if (reason === 'reload') this.#reloading()
    })
    pool.on('ready', () => this.#update())
    pool.on('exit', () => this.#update())
    pool.on('reload', () => {
      if (this.#state !== 'reloading') return
      this.#state = 'ready'
      this.repeat()
    })
    pool.on('drain', (_, reason) => {
      if (reason === 'stop') this.#stopping()
    })
  }

  /** Sends the state again, because a message may be lost, and because a watchdog expects messages. */
  repeat(): void {
    const isAlive = this.#pool.status().state !== 'closed'
    if (!isAlive) return
    const message = ['WATCHDOG=1', this.#statusLine()]
    // READY=1 also ends a reload, so do not send it during one.
    this.#send(this.#state === 'ready' ? ['READY=1', ...message] : message)
  }

  #update(): void {
    if (this.#state === 'starting' && this.#pool.status().state === 'running') {
      this.#state = 'ready'
      this.repeat()
      return
    }
    this.#status ??= setTimeout(() => {
      this.#status = undefined
      if (this.#state !== 'stopping') this.#send([this.#statusLine()])
    }, STATUS_PAUSE).unref()
  }

  #reloading(): void {
    if (this.#state !== 'ready') return
    this.#state = 'reloading'
    // Type=notify-reload needs the time with the message (systemd.service(5)).
    const now = process.hrtime.bigint() / 1000n
    this.#send(['RELOADING=1', `MONOTONIC_USEC=${now}`, 'STATUS=Reloading'])
  }

  #stopping(): void {
    if (this.#state === 'stopping') return
    this.#state = 'stopping'
    this.#send(['STOPPING=1', 'STATUS=Waiting for running requests'])
  }

  #statusLine(): string {
    const { workers, wanted, state } = this.#pool.status()
    // During a reload, an old worker and its replacement are ready.
    const ready = new Set(workers.filter((worker) => worker.state === 'ready').map(({ slot }) => slot)).size
    return `STATUS=${state}: ${ready} of ${wanted} workers ready`
  }
}

function send(message: readonly string[], env: NodeJS.ProcessEnv): void {
  execFile('systemd-notify', message, { env }, (error) => {
    if (error !== null && !isWarned) {
      isWarned = true
      process.emitWarning(`systemd-notify failed: ${error.message}`)
    }
  })
}

let isWarned = false
