// One process holds the app, and all others relay to it. The modules of this folder:
//
// | module                 | what it does                                                                           |
// | ---------------------- | -------------------------------------------------------------------------------------- |
// | `share.ts`             | decides the role of this process, depending on what started it                         |
// | `claims.ts`            | finds the holder: the process with the last one of a series of sockets                 |
// | `connect-to-holder.ts` | connects to the holder, and waits while it is busy                                     |
// | `open-claim.ts`        | opens the socket of a process that wants to become the holder                          |
// | `claim-file.ts`        | the files of one holder, and how it gives up                                           |
// | `shared-process.ts`    | a process that a front server has started with a socket: relays, or becomes the holder |
// | `program-file.ts`      | notices that the program was edited                                                    |
// | `relay.ts`             | passes one connection on                                                               |
// | `shared-cgi.ts`        | a CGI program: relays its request, and starts the holder                               |
//
// A relay loads these modules, those of `listen/` that they need, and nothing of the app.

import { chmodSync, mkdirSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { leaveSockets } from '../listen/held-sockets.ts'
import { isListeningSocket } from '../listen/listening-socket.ts'
import { OpenSocket } from '../listen/open-socket.ts'
import { Claims } from './claims.ts'
import { ProgramFile } from './program-file.ts'
import { SharedProcess } from './shared-process.ts'

/** How a process shares an app. */
export interface ShareOptions {
  /**
   * The folder of the holder's socket. It is created with mode 0700, and must belong to the user of the process. Its path can have up to 80
   * bytes. If several machines share the folder, each has its own holder.
   */
  folder: string
  /**
   * The file that the front server runs, such as `app.fcgi`. When it changes, a process that relays ends after its request, so that the front
   * server starts the new one. Default: changes are not noticed.
   */
  program?: string | undefined
}

/**
 * Shares an app between the processes that a front server starts. The first one becomes the holder, and the others relay their requests to
 * it. Call it before the app is loaded.
 *
 * Resolves when this process must serve the app: it is the holder, or a CGI program that could not start one. The next call of
 * `serve` without an address, or `listen` of an adapter's server, then serves the sockets. In a process that relays, the promise never settles:
 * the process exits when its front server ends it, or when the CGI request is complete. Rejects if the folder belongs to another user, or
 * its path is too long.
 */
export async function share({ folder, program }: ShareOptions): Promise<void> {
  const path = resolve(folder)
  const file = program === undefined ? undefined : new ProgramFile(resolve(program))
  makePrivateFolder(path)
  const claims = new Claims(path)
  if (isListeningSocket(0, process.env)) {
    await new SharedProcess(claims, await OpenSocket.standardInput(), file).run()
  } else if (process.env.GATEWAY_INTERFACE !== undefined) {
    const { serveSharedCgi } = await import('./shared-cgi.ts')
    await serveSharedCgi(claims)
  } else {
    await holdOrExit(claims)
  }
}

// For a process that a CGI program, cron or a shell started.
async function holdOrExit(claims: Claims): Promise<void> {
  const { takeIdleTimeout } = await import('./shared-cgi.ts')
  const idleTimeout = takeIdleTimeout()
  for (;;) {
    const { number, holder } = await claims.connect()
    if (holder !== undefined) {
      holder.destroy()
      process.exit()
    }
    const socket = await claims.claim(number)
    if (socket !== undefined) {
      leaveSockets({ sockets: [socket], idleTimeout, onServed: () => {} })
      return
    }
  }
}

function makePrivateFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const { uid, mode } = statSync(path)
  const user = process.getuid?.()
  if (user !== undefined && uid !== user) {
    throw new Error(
      `The folder ${path} belongs to user ${uid}, but this process runs as user ${user}. Name a folder of its own with the option shared, or --shared.`,
    )
  }
  // A user who can write to the folder could take the app's place. A user who can enter it could send requests as any client.
  if ((mode & 0o077) !== 0) chmodSync(path, 0o700)
}
