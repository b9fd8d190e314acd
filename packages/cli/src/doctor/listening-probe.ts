import { chownSync } from 'node:fs'
import { connect } from 'node:net'
import { constants } from 'node:os'
import { formatAddress, type SocketAddress } from '@fcgi-bridge/client'
import { createServer, RequestError } from '@fcgi-bridge/core'
import { look } from '../examine/socket-access.ts'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import { pairs } from '../pairs.ts'
import { createProbe } from './probe.ts'

/** A request that has no meaning. */
export interface RefusedRequest {
  /** As they came. */
  params: [name: string, value: string][]
  why: string
}

/** The probe, where the app would listen. */
export interface ListeningProbe {
  /** The requests that no app would be given, the doctor's or not. */
  readonly refused: readonly RefusedRequest[]
  close(): Promise<void>
}

// Whoever has the token may ask, whatever user it is: what the app's own socket would let through is not known.
const MODE = 0o666

// How long a host may take to let in or to refuse, in milliseconds.
const CONNECT_MAX = 2000

/**
 * Listens at an address in place of the app. `'in use'`: the app, or another program, does. A socket that the app left behind is
 * replaced by one with the same owner and mode. Throws a Failure where it can not listen there.
 */
export async function listenAsApp(address: SocketAddress, token: string): Promise<ListeningProbe | 'in use'> {
  if (await isInUse(address)) return 'in use'
  const refused: RefusedRequest[] = []
  const server = createServer(createProbe(token), {
    onError: (error, { rawParams }) => {
      if (error instanceof RequestError) refused.push({ params: pairs(rawParams), why: error.message })
    },
  })
  const there = 'path' in address ? look(address.path) : undefined
  const left = there?.isSocket() ? there : undefined
  try {
    const mode = left === undefined ? MODE : left.mode & 0o777
    await server.listen('path' in address ? { path: address.path, mode } : address)
    if (left !== undefined && process.getuid?.() === 0 && 'path' in address) {
      chownSync(address.path, left.uid, left.gid)
    }
  } catch (cause) {
    await server.close()
    const isElsewhere = (cause as NodeJS.ErrnoException).code === 'EADDRNOTAVAIL'
    const what = isElsewhere
      ? `${formatAddress(address)} is no address of this machine. Run the doctor on the machine of the app, or see --probe.`
      : `The doctor can not listen in place of the app: ${(cause as Error).message}`
    throw new Failure(EXIT.listen, what, { cause })
  }
  // Its socket is removed at the exit of the process, which a signal by itself is not.
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => process.exit(128 + constants.signals[signal]))
  return { refused, close: () => server.close() }
}

function isInUse(address: SocketAddress): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address)
    const settle = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => settle(true))
    socket.setTimeout(CONNECT_MAX, () => settle(false))
    // Somebody is there who does not let this user in, or has no time.
    socket.once('error', ({ code }: NodeJS.ErrnoException) => settle(code === 'EACCES' || code === 'EAGAIN'))
  })
}
