import { renameSync } from 'node:fs'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import { freePorts } from '../../scripts/lib/free-ports.js'
import type { Listening } from './fronts/ports.ts'
import type { Program } from './fronts/program.ts'
import type { Site } from './fronts/site.ts'

/** A bound socket, and the file descriptor with which child processes inherit it. */
interface BoundHandle {
  readonly fd: number
  close(): void
}

// Undocumented; node:cluster uses it. A net.Server would accept connections itself.
const { _createServerHandle: bind } = net as unknown as {
  _createServerHandle(address: string, port: number, type: number): BoundHandle | number
}

/** A bound socket that the test keeps open, as process managers do, while programs serve it in turn. The first one makes it listen. */
export class HeldSocket {
  readonly at: Listening
  readonly #site: Site
  readonly #handle: BoundHandle

  private constructor(site: Site, at: Listening) {
    this.#site = site
    this.at = at
    const handle = 'path' in at ? bind(at.path, -1, -1) : bind(at.host, at.port, 4)
    if (typeof handle === 'number') throw new Error(`The socket was not bound: error ${handle}.`)
    this.#handle = handle
  }

  static async open(site: Site, transport: 'tcp' | 'unix'): Promise<HeldSocket> {
    if (transport === 'unix') return new HeldSocket(site, { path: site.path('held.sock') })
    const [port] = await freePorts(1)
    return new HeldSocket(site, { host: '127.0.0.1', port: port! })
  }

  /**
   * Starts tests/support/apps/drain.js on the socket as descriptor 3, or as descriptor 0, which must listen already.
   */
  start(fd: 0 | 3 = 3, variables: Record<string, string> = {}): Program {
    const { fd: held } = this.#handle
    return this.#site.start(process.execPath, [APP], {
      stdio: fd === 0 ? [held, 'pipe', 'pipe'] : ['ignore', 'pipe', 'pipe', held],
      env: {
        ...process.env,
        ...this.#site.appEnvironment(),
        ...(fd === 3 && { FCGI_BRIDGE_LISTEN_FDS: '1' }),
        ...variables,
      },
    })
  }

  /** Closes the test's own descriptor, and keeps the file of a Unix socket, which libuv would remove. */
  close(): void {
    const aside = this.#site.path('aside.sock')
    if ('path' in this.at) renameSync(this.at.path, aside)
    this.#handle.close()
    if ('path' in this.at) renameSync(aside, this.at.path)
  }
}

const APP = fileURLToPath(new URL('./apps/drain.js', import.meta.url))
