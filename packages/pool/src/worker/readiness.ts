import { tracingChannel } from 'node:diagnostics_channel'
import { createServer, type ListenOptions, type Server } from 'node:net'

/**
 * Calls listen(2) on descriptors that are copies of the pool's sockets, and closes them. From then on the sockets' queues take
 * connections while the program is still loading. `onListening` is called once all are done.
 */
export function listenOnCopies(
  { first, count, backlog }: { first: number; count: number; backlog: number | undefined },
  onListening: () => void,
): void {
  let left = count
  for (let fd = first; fd < first + count; fd++) {
    const server = createServer()
    const done = (): void => {
      if (--left === 0) onListening()
    }
    // 'listening' comes before the event loop polls, so this server never accepts a connection.
    server.listen({ fd, backlog }, () => server.close(done))
    // The program will get the same error and report it.
    server.on('error', done)
  }
}

interface Watcher {
  /** Servers of the program listen on all descriptors. */
  onReady(): void
  /** A server of the program listens on another address, while no descriptor is in use yet. */
  onElsewhere(address: string): void
}

/**
 * Watches the program's net servers until they listen on each of `descriptors`. Returns the servers that do, to which later ones are
 * added.
 */
export function watchListening(descriptors: readonly number[], watcher: Watcher): readonly Server[] {
  const servers: Server[] = []
  const waiting = new Set(descriptors)
  const pending = new WeakMap<Server, ListenOptions & { fd?: number }>()
  // Node has this channel since 18.18. The types of Node 20 lack the names of its messages.
  const channel = tracingChannel<string, { server: Server; options: ListenOptions }>('net.server.listen')
  const handlers = {
    start() {},
    end() {},
    error() {},
    asyncStart({ server, options }: { server: Server; options: ListenOptions }) {
      pending.set(server, options)
    },
    asyncEnd({ server }: { server: Server }) {
      const options = pending.get(server)
      if (options?.fd !== undefined && waiting.delete(options.fd)) servers.push(server)
      else if (options !== undefined && waiting.size === descriptors.length) {
        watcher.onElsewhere(addressOf(server))
      }
      if (waiting.size > 0) return
      channel.unsubscribe(handlers)
      watcher.onReady()
    },
  }
  channel.subscribe(handlers)
  return servers
}

function addressOf(server: Server): string {
  const address = server.address()
  if (address === null || typeof address === 'string') return address ?? 'a closed socket'
  return address.family === 'IPv6'
    ? `[${address.address}]:${address.port}`
    : `${address.address}:${address.port}`
}
