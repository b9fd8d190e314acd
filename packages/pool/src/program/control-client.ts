import { once } from 'node:events'
import { connect } from 'node:net'
import type { PoolCommand, PoolReply } from './commands.ts'

/**
 * Sends a command to the pool behind a control socket. Resolves with its reply: after a `reload`, when the new workers serve or one
 * of them has failed; after a `stop`, when the pool is closed. Rejects if the pool cannot be reached.
 */
export async function sendCommand(path: string, command: PoolCommand): Promise<PoolReply> {
  const socket = connect({ path })
  await once(socket, 'connect')
  socket.setEncoding('utf8').write(`${JSON.stringify(command)}\n`)
  let text = ''
  for await (const chunk of socket) text += chunk
  if (!text.endsWith('\n')) {
    throw Object.assign(new Error(`${path} closed the connection before it replied.`), {
      code: 'ECONNRESET',
    })
  }
  return JSON.parse(text) as PoolReply
}
