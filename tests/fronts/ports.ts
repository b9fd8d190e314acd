import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setTimeout } from 'node:timers/promises'

/** Where a server listens. */
export type Listening = { port: number; host: string } | { path: string }

/** Ports of 127.0.0.1 that nothing listens on now. Whoever takes one must bear that another was faster. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}

/** Whether something accepts connections there. */
export async function accepts(where: Listening): Promise<boolean> {
  const socket = connect(where)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

/** Connects until a connection is accepted, or `hasEnded` says that it never will be. False for the latter. */
export async function accepting(where: Listening, hasEnded: () => boolean): Promise<boolean> {
  while (!(await accepts(where))) {
    if (hasEnded()) return false
    await setTimeout(10)
  }
  return true
}
