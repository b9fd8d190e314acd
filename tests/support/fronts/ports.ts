import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'

/** The address of a server. */
export type Listening = { port: number; host: string } | { path: string }

/** True if a program accepts connections there. */
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

/** Connects until a connection is accepted. Resolves with false if `hasEnded` returns true first. */
export async function accepting(where: Listening, hasEnded: () => boolean): Promise<boolean> {
  while (!(await accepts(where))) {
    if (hasEnded()) return false
    await setTimeout(10)
  }
  return true
}
