import type { Server } from 'node:net'
import { ADDRESS_EXAMPLES, checkOptions, LISTEN_OPTION_NAMES } from './check-options.ts'
import { checkPlace } from './check-place.ts'
import { codeOf, withCode, withListenErrors } from './listen-error.ts'
import type { ListenOptions, TcpListenOptions } from './listen-options.ts'
import { Listener } from './listener.ts'
import { listening } from './net-server.ts'
import { StandardDescriptor } from './standard-descriptor.ts'
import { listenOnPath } from './unix-socket.ts'

/**
 * Makes `server` listen. Rejects with a TypeError or a RangeError for options that contradict each other or are out of range, and
 * otherwise with an Error that has the system's `code` and a message that says what to do. After a rejection, nothing is listening.
 */
export async function listenOn(server: Server, options: ListenOptions): Promise<Listener> {
  checkOptions(options, LISTEN_OPTION_NAMES, `Write ${ADDRESS_EXAMPLES}, and await the returned promise.`)
  checkPlace(options)
  const { backlog } = options
  if (options.path !== undefined) {
    const file = await listenOnPath(server, options.path, options.mode ?? 0o660, backlog)
    return new Listener(server, { file })
  }
  if (options.fd !== undefined) {
    const { fd, shared = false } = options
    // For a descriptor, Node reads the backlog only from the second argument.
    const bind = listening(server, () => server.listen({ fd }, backlog))
    await withListenErrors(bind, `file descriptor ${fd}`)
    return new Listener(server, { shared, ...(fd <= 2 && { standard: new StandardDescriptor(fd) }) })
  }
  await listenOnPort(server, options)
  return new Listener(server, {})
}

async function listenOnPort(server: Server, options: TcpListenOptions): Promise<void> {
  const { port, host = '127.0.0.1', backlog, reusePort } = options
  // @types/node 20 does not declare reusePort.
  const where = { port, host, backlog, ...(reusePort && { reusePort }) }
  try {
    await withListenErrors(
      listening(server, () => server.listen(where)),
      `${host}:${port}`,
    )
  } catch (error) {
    if (!reusePort || codeOf(error) !== 'ENOTSUP') throw error
    throw withCode(
      'ENOTSUP',
      `ENOTSUP: cannot listen on ${host}:${port} with the option reusePort: this operating system does not balance connections between sockets. Leave it out, or share one socket between the processes.`,
    )
  }
}
