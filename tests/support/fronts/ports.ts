import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'

/** Where a server listens. */
export type Listening = { port: number; host: string } | { path: string }

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
