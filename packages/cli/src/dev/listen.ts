import { once } from 'node:events'
import type { Server } from 'node:http'
import { connect } from 'node:net'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'

const DEFAULT_PORT = 8080

const LOOPBACK = '127.0.0.1'

// Timeout of a connection to this machine itself, in milliseconds.
const LOOPBACK_TIMEOUT = 500

/** Where an HTTP server listens. */
interface ListeningAt {
  /** Its URL, which ends with a slash. */
  url: string
  /** A message for the user if the default port was in use. */
  notice: string | undefined
}

/**
 * Makes an HTTP server listen on `port`. Without `port`, it listens on `defaultPort`, or on a free port if that is in use. Throws a
 * Failure if the server cannot listen.
 */
export async function listenForHttp(
  server: Server,
  { port, host }: { port?: number; host: string },
  defaultPort: number = DEFAULT_PORT,
): Promise<ListeningAt> {
  let notice: string | undefined
  try {
    await listenOn(server, port ?? defaultPort, host)
  } catch (error) {
    if (port !== undefined || codeOf(error) !== 'EADDRINUSE') throw failure(error, port ?? defaultPort, host)
    await listenOn(server, 0, host)
    notice = `Port ${defaultPort} is in use, so a free port was chosen. Use --port to choose one.`
  }
  const address = server.address() as { port: number }
  return { url: `http://${await shownHost(host, address.port)}:${address.port}/`, notice }
}

// Browsers try ::1 first for `localhost`, where another program may have the port.
async function shownHost(host: string, port: number): Promise<string> {
  if (host !== LOOPBACK) return host.includes(':') ? `[${host}]` : host
  return (await accepts('::1', port)) ? LOOPBACK : 'localhost'
}

async function accepts(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port })
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(LOOPBACK_TIMEOUT) })
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

async function listenOn(server: Server, port: number, host: string): Promise<void> {
  const listening = once(server, 'listening')
  server.listen(port, host)
  await listening
}

function failure(error: unknown, port: number, host: string): Failure {
  return new Failure(EXIT.listen, `Cannot listen on ${host}: ${why(error, port)}`, { cause: error })
}

function why(error: unknown, port: number): string {
  const code = codeOf(error)
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} is in use by another program (${code}). Stop that program, or choose another port. --port 0 picks a free one.`
    case 'EACCES':
      return `this user has no permission to use port ${port} (${code}). Choose a port above 1023.`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `this machine has no such address (${code}). Choose another --host.`
    default:
      return `${(error as Error).message}.`
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}
