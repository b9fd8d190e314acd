// Who holds the app. Each holder has its own Unix socket in a folder: app.1, app.2 and so on. Machines that share the folder over a
// network have a subfolder each, because a Unix socket cannot be reached from another machine.
//
// The process whose socket has the highest number is the holder, if the socket accepts connections. The kernel refuses connections to the socket
// of a process that has ended, also after a SIGKILL or a reboot.
//
// | the highest socket     | it means                         | what a process does                              |
// | ---------------------- | -------------------------------- | ------------------------------------------------ |
// | there is none          | nobody has held the app so far   | claims 1                                         |
// | accepts, or is busy    | its process holds the app        | relays to it                                     |
// | refuses                | its process has ended, or drains | claims the next number with link(2): only one can |
//
// - A socket listens before link(2) makes it visible. So a socket that refuses never accepts again.
// - A holder that drains replaces its socket by an empty file. The highest number is never removed, so no number is used twice.
// - Old numbers are removed late. A process that was stopped between its check and its claim can win a number that was removed. It then
//   finds a higher one, and withdraws.

import { linkSync, mkdirSync, readdirSync } from 'node:fs'
import type { Socket } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { checkPlace } from '../listen/check-place.ts'
import { codeOf } from '../listen/listen-error.ts'
import type { OpenSocket } from '../listen/open-socket.ts'
import { lstatSocket } from '../listen/stat.ts'
import { connectToHolder, startConnecting } from './connect-to-holder.ts'
import { unlinkIfExists } from './unlink.ts'

// How many old numbers are kept.
const KEPT_NUMBERS = 8

// Milliseconds. A temporary file of a process that was killed is removed after this time.
const ABANDONED_AFTER = 60_000

const TEMPORARY = /^\.[0-9a-f]{12}$/

/** The holders of an app, which have their sockets in one folder. */
export class Claims {
  /** The folder of the sockets of this machine. */
  readonly folder: string
  // Where the holder listens that was reached last.
  #reached: string | undefined

  /** Throws if the path of a socket in `folder` would be too long for the operating system. */
  constructor(folder: string) {
    this.folder = join(folder, machineName())
    checkPlace({ path: this.#temporary() })
    mkdirSync(this.folder, { recursive: true, mode: 0o700 })
  }

  /** Returns the number of the latest holder, 0 if there was none. */
  latest(): number {
    return Math.max(0, ...this.#numbers())
  }

  /**
   * Starts to connect to the holder that was reached last. Undefined if there is none. As long as it accepts connections, there is no
   * later one, so the folder need not be read for each request. If it refuses, {@link connect} finds the next one.
   */
  connectAgain(): Socket | undefined {
    return this.#reached === undefined ? undefined : startConnecting(this.#reached)
  }

  /**
   * Connects to the holder. If no process holds the app, `holder` is undefined. `number` is that of the latest holder, 0 if there was none.
   * If the front server closes `front`, the connection that needs the holder, `holder` can be undefined, too.
   */
  async connect(front?: Socket): Promise<{ number: number; holder: Socket | undefined }> {
    const number = this.latest()
    return { number, holder: await this.connectTo(number, front) }
  }

  /** Connects to the holder `number`, as {@link connectToHolder} does. */
  async connectTo(number: number, front?: Socket): Promise<Socket | undefined> {
    const path = this.#path(number)
    let holder: Socket | undefined
    try {
      holder = await connectToHolder(path, front)
      return holder
    } finally {
      this.#reached = holder === undefined ? undefined : path
    }
  }

  /** Tries to become the holder after `previous`, which has ended. Resolves with undefined if another process is faster. */
  async claim(previous: number): Promise<OpenSocket | undefined> {
    const number = previous + 1
    const temporary = this.#temporary()
    // A process that only relays does not need this module: it would cost a megabyte of memory.
    const { openClaim } = await import('./open-claim.ts')
    const { file, socket } = await openClaim(this.folder, `app.${number}`, temporary)
    try {
      linkSync(temporary, this.#path(number))
    } catch (error) {
      await socket.listener.close()
      if (codeOf(error) === 'EEXIST') return undefined
      throw error
    } finally {
      unlinkIfExists(temporary)
    }
    if (this.latest() > number) {
      file.release()
      await socket.listener.close()
      return undefined
    }
    file.publish()
    this.#cleanUp(number)
    return socket
  }

  #numbers(): number[] {
    return readdirSync(this.folder).flatMap((name) => {
      const number = /^app\.(\d{1,15})$/.exec(name)?.[1]
      return number === undefined ? [] : [Number(number)]
    })
  }

  #path(number: number): string {
    return join(this.folder, `app.${number}`)
  }

  #temporary(): string {
    const name = Math.floor(Math.random() * 2 ** 48).toString(16)
    return join(this.folder, `.${name.padStart(12, '0')}`)
  }

  #cleanUp(number: number): void {
    const old = this.#numbers().filter((each) => each <= number - KEPT_NUMBERS)
    for (const each of old) unlinkIfExists(this.#path(each))
    for (const name of readdirSync(this.folder).filter((each) => TEMPORARY.test(each))) {
      const path = join(this.folder, name)
      if (isAbandoned(path)) unlinkIfExists(path)
    }
  }
}

// Returns a hash (FNV-1a) of the host name, which can be long: the path of a socket may have only 107 bytes. It does not use node:crypto, which
// would cost each relay more than a megabyte of memory.
function machineName(): string {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(hostname())) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash.toString(16).padStart(8, '0')
}

function isAbandoned(path: string): boolean {
  try {
    return Date.now() - lstatSocket(path).mtimeMs > ABANDONED_AFTER
  } catch {
    // Its process has removed it.
    return false
  }
}
