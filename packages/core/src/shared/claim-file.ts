import { readdirSync, readlinkSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import type { Server } from 'node:net'
import { basename, dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { ListeningFile } from '../listen/listener.ts'
import { closeServer } from '../listen/net-server.ts'

// Milliseconds. Apache looks for app.ready and connects later, so connections are accepted for this time after app.ready was removed.
const NOTICE_TIME = 250

/**
 * The files of one holder. The last two are in the folder above that of the machine, where an .htaccess can name them:
 *
 * - `app.NUMBER`: its socket, or an empty file once it no longer holds the app
 * - `app.sock`: a link to that socket, for Apache's mod_proxy_fcgi
 * - `app.ready`: a link to a file that exists as long as this process. A `RewriteCond … -f` tests it, so requests go to the socket only
 *   while the holder lives. It exists only on systems with /proc.
 */
export class ClaimFile implements ListeningFile {
  readonly #folder: string
  readonly #name: string
  readonly #temporary: string
  readonly #withdraw = (): void => void this.#removeReady()
  #ready: string | undefined

  /** `temporary` is a path in `folder` that no other process uses. */
  constructor(folder: string, name: string, temporary: string) {
    this.#folder = folder
    this.#name = name
    this.#temporary = temporary
  }

  /** Creates `app.sock` and `app.ready`. */
  publish(): void {
    this.#link(join(basename(this.#folder), this.#name), 'app.sock')
    this.#ready = fileOfThisProcess()
    if (this.#ready !== undefined) this.#link(this.#ready, 'app.ready')
    process.once('exit', this.#withdraw)
  }

  /**
   * Gives up the claim, so that other processes find a socket that refuses connections. Connections that arrive shortly before are still
   * accepted.
   */
  async remove(): Promise<void> {
    if (this.#removeReady()) await setTimeout(NOTICE_TIME)
    this.release()
  }

  /** Gives up the claim at once. */
  release(): void {
    try {
      writeFileSync(this.#temporary, '', { mode: 0o600 })
      renameSync(this.#temporary, join(this.#folder, this.#name))
    } catch {
      // The folder was deleted, or the disk is full. The claim ends when the socket closes.
    }
  }

  close(server: Server): Promise<void> {
    process.removeListener('exit', this.#withdraw)
    return closeServer(server)
  }

  #link(target: string, name: string): void {
    symlinkSync(target, this.#temporary)
    renameSync(this.#temporary, join(dirname(this.#folder), name))
  }

  // Removes app.ready. Returns whether it existed.
  #removeReady(): boolean {
    const path = join(dirname(this.#folder), 'app.ready')
    const target = this.#ready
    this.#ready = undefined
    try {
      if (target === undefined || readlinkSync(path) !== target) return false
      unlinkSync(path)
      return true
    } catch {
      return false
    }
  }
}

// After a reboot, another process can have the same id. It is unlikely that it also has a thread with the same id.
function fileOfThisProcess(): string | undefined {
  try {
    const thread = readdirSync('/proc/self/task').at(-1)
    return `/proc/${process.pid}/task/${thread}/stat`
  } catch {
    return undefined
  }
}
