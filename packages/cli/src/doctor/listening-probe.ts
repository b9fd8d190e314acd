import { chownSync } from 'node:fs'
import { connect } from 'node:net'
import { constants } from 'node:os'
import { formatAddress, type SocketAddress } from '@fcgi-bridge/client'
import { createServer, RequestError } from '@fcgi-bridge/core'
import { statIfExists } from '../examine/socket-access.ts'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import { pairs } from '../pairs.ts'
import { createProbe } from './probe.ts'

/** A request that is not valid CGI, so fcgi-bridge does not pass it to an app. */
export interface RefusedRequest {
  /** The params, as the front server sent them. */
  params: [name: string, value: string][]
  why: string
}

/** The probe, listening on the app's address. */
export interface ListeningProbe {
  /** The invalid requests that arrived, from the doctor and from others. */
  readonly refused: readonly RefusedRequest[]
  close(): Promise<void>
}

// Every user may connect, because the mode of the app's own socket is not known. The token protects the probe.
const DEFAULT_MODE = 0o666

// Milliseconds to wait for a connection to the address.
const CONNECT_TIMEOUT = 2000

/**
 * Listens on an address in place of the app. Resolves with `'in use'` if the app, or another program, listens there. If the app left
 * a socket behind, the probe's socket gets the same owner and mode. Throws a Failure if it cannot listen there.
 */
export async function listenAsApp(address: SocketAddress, token: string): Promise<ListeningProbe | 'in use'> {
  if (await isInUse(address)) return 'in use'
  const refused: RefusedRequest[] = []
  const server = createServer(createProbe(token), {
    onError: (error, { rawParams }) => {
      if (error instanceof RequestError) refused.push({ params: pairs(rawParams), why: error.message })
    },
  })
  const found = 'path' in address ? statIfExists(address.path) : undefined
  const stale = found?.isSocket() ? found : undefined
  try {
    const mode = stale === undefined ? DEFAULT_MODE : stale.mode & 0o777
    await server.listen('path' in address ? { path: address.path, mode } : address)
    if (stale !== undefined && process.getuid?.() === 0 && 'path' in address) {
      chownSync(address.path, stale.uid, stale.gid)
    }
  } catch (cause) {
    await server.close()
    const isElsewhere = (cause as NodeJS.ErrnoException).code === 'EADDRNOTAVAIL'
    const what = isElsewhere
      ? `${formatAddress(address)} is not an address of this machine. Run the doctor on the machine of the app, or let the front server start the probe: see fcgi-bridge doctor --help.`
      : `The doctor cannot listen in place of the app: ${(cause as Error).message}`
    throw new Failure(EXIT.listen, what, { cause })
  }
  for (const signal of SIGNALS) process.once(signal, exitOn)
  return {
    refused,
    close() {
      for (const signal of SIGNALS) process.off(signal, exitOn)
      return server.close()
    },
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

// The server removes its socket in the process's 'exit' event, which a signal alone does not cause.
function exitOn(signal: NodeJS.Signals): void {
  process.exit(128 + constants.signals[signal])
}

function isInUse(address: SocketAddress): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address)
    const settle = (inUse: boolean): void => {
      socket.destroy()
      resolve(inUse)
    }
    socket.once('connect', () => settle(true))
    socket.setTimeout(CONNECT_TIMEOUT, () => settle(false))
    // EACCES: this user may not connect. EAGAIN: the server's backlog is full. In both cases the address is in use.
    socket.once('error', ({ code }: NodeJS.ErrnoException) => settle(code === 'EACCES' || code === 'EAGAIN'))
  })
}
