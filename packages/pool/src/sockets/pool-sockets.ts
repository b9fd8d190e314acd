import { closeSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import type { ListenOptions } from '@fcgi-bridge/core'
import { listenError } from '@fcgi-bridge/core/manager'
import { bindTcp } from './bind.ts'
import { bindSocketFile, type SocketFile } from './socket-file.ts'

/** A listening socket that the pool owns and that its workers accept on. */
export interface PoolSocket {
  readonly fd: number
  /** `fd N` for an inherited socket. */
  readonly address: AddressInfo | string
  /** Removes the file of a Unix socket, so that front servers stop connecting. */
  retire(): void
  close(): void
  /** False if the file of a Unix socket was removed or replaced. */
  isReachable(): boolean
}

const DEFAULT_HOST = '127.0.0.1'
const DEFAULT_MODE = 0o660
const PORT_MAX = 65_535
// The first descriptor for sockets: 0 to 2 are the standard streams.
const LISTEN_FDS_START = 3

/** The sockets of a pool. They stay bound until {@link close}, so connections wait in their queues while no worker runs. */
export class PoolSockets {
  readonly #listen: readonly ListenOptions[]
  readonly #perWorker: boolean
  readonly #onOpen: (socket: PoolSocket) => void
  /** By slot. A shared set has the one key 0. */
  readonly #sets = new Map<number, readonly PoolSocket[]>()
  readonly #sockets: PoolSocket[] = []
  /** The sockets on which a worker has called listen(2). Before that the system refuses connections. */
  readonly #listening = new Set<readonly PoolSocket[]>()

  /** With `perWorker`, each slot has its own sockets: `%i` in a path is the slot, and a port is that of slot 0 plus the slot. */
  constructor(listen: readonly ListenOptions[], perWorker: boolean, onOpen: (socket: PoolSocket) => void) {
    this.#listen = listen
    this.#perWorker = perWorker
    this.#onOpen = onOpen
  }

  /** Binds the sockets of a worker, unless they are bound. Rejects with an Error that says what to do. */
  async open(slot: number): Promise<void> {
    const key = this.#keyOf(slot)
    if (this.#sets.has(key)) return
    const opened = await this.#bind(key)
    this.#sets.set(key, opened)
    this.#sockets.push(...opened)
    for (const socket of opened) this.#onOpen(socket)
  }

  /** The open sockets of a worker. */
  of(slot: number): readonly PoolSocket[] {
    return this.#sets.get(this.#keyOf(slot))!
  }

  /** Whether a worker has called listen(2) on these sockets. */
  isListening(sockets: readonly PoolSocket[]): boolean {
    return this.#listening.has(sockets)
  }

  markListening(sockets: readonly PoolSocket[]): void {
    this.#listening.add(sockets)
  }

  /** All open sockets, in the order in which they were opened. */
  get all(): readonly PoolSocket[] {
    return this.#sockets
  }

  /** Removes the files of Unix sockets. */
  retire(): void {
    for (const socket of this.#sockets) socket.retire()
  }

  /**
   * With a set for each slot, closes the sets of the slots from `count` on, which no longer have workers. A worker that drains still has
   * its own descriptors.
   */
  closeFrom(count: number): void {
    if (!this.#perWorker) return
    for (const [slot, set] of this.#sets) {
      if (slot < count) continue
      this.#sets.delete(slot)
      this.#listening.delete(set)
      for (const socket of set) {
        this.#sockets.splice(this.#sockets.indexOf(socket), 1)
        socket.close()
      }
    }
  }

  close(): void {
    for (const socket of this.#sockets.splice(0)) socket.close()
    this.#sets.clear()
    this.#listening.clear()
  }

  #keyOf(slot: number): number {
    return this.#perWorker ? slot : 0
  }

  async #bind(slot: number): Promise<readonly PoolSocket[]> {
    const opened: PoolSocket[] = []
    try {
      for (const options of this.#listen) {
        opened.push(await openSocket(this.#perWorker ? forSlot(options, slot) : options))
      }
    } catch (error) {
      for (const socket of opened) socket.close()
      throw error
    }
    return opened
  }
}

function forSlot(options: ListenOptions, slot: number): ListenOptions {
  if (options.path !== undefined) return { ...options, path: options.path.replaceAll('%i', String(slot)) }
  if (options.port === undefined) return options
  const port = options.port + slot
  if (port > PORT_MAX)
    throw new RangeError(`Worker ${slot} would listen on port ${port}. Choose a lower port.`)
  return { ...options, port }
}

async function openSocket(options: ListenOptions): Promise<PoolSocket> {
  if (options.path !== undefined) {
    const { path } = options
    const file = await bindSocketFile(path, options.mode ?? DEFAULT_MODE)
    return ofFile(path, file)
  }
  if (options.port !== undefined) return openPort(options.port, options.host ?? DEFAULT_HOST)
  const { fd } = options
  // When a process exits, Node makes its descriptors 0 to 2 blocking. That would also block the workers, which share the socket. Node skips
  // closed descriptors.
  if (fd < LISTEN_FDS_START) process.once('exit', () => closeSync(fd))
  return { fd, address: `fd ${fd}`, retire() {}, close() {}, isReachable: () => true }
}

function ofFile(path: string, file: SocketFile): PoolSocket {
  const remove = (): void => file.unlink()
  process.once('exit', remove)
  return {
    fd: file.fd,
    address: path,
    retire: () => file.unlink(),
    close: () => {
      process.removeListener('exit', remove)
      file.close()
    },
    isReachable: () => file.exists(),
  }
}

async function openPort(port: number, host: string): Promise<PoolSocket> {
  const where = `${host}:${port}`
  try {
    // Loaded on use: most pools listen on a Unix socket or an IP address.
    const { address: ip } = await process.getBuiltinModule('node:dns/promises').lookup(host)
    const { fd, address, close } = bindTcp(port, ip)
    return { fd, address: address!, retire() {}, close, isReachable: () => true }
  } catch (error) {
    throw listenError(error, where)
  }
}
