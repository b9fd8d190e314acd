import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { bindAtPath } from '@fcgi-bridge/core/manager'
import type { Pool } from '../master/pool.ts'
import { whenClosed } from '../master/when-closed.ts'
import type { PoolReply } from './commands.ts'

// Every user who can connect can stop the pool.
const MODE = 0o600
// Longer than any command, in characters.
const COMMAND_MAX = 1000

/**
 * Takes commands on a Unix socket until the pool is closed. Replaces a stale socket, and never one that a live program listens on.
 * Rejects with an Error that says what to do.
 */
export async function listenForCommands(pool: Pool, path: string): Promise<void> {
  const server = createServer((socket) => serveCommands(pool, socket))
  const listen = async (): Promise<void> => {
    server.listen({ path })
    await once(server, 'listening')
  }
  await bindAtPath(path, MODE, listen)
  // The reply to the command `stop` is sent after the pool has closed.
  whenClosed(pool, () => setImmediate(() => server.close()))
}

function serveCommands(pool: Pool, socket: Socket): void {
  let text = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
    const end = text.indexOf('\n')
    if (end < 0) {
      if (text.length > COMMAND_MAX) socket.destroy()
      return
    }
    socket.removeAllListeners('data').resume()
    execute(pool, text.slice(0, end)).then((reply) => socket.end(`${JSON.stringify(reply)}\n`))
  })
  // The client may disconnect before it gets the reply.
  socket.on('error', () => {})
}

async function execute(pool: Pool, line: string): Promise<PoolReply> {
  try {
    const command = commandOf(line)
    if (command === 'reload') await pool.reload()
    else if (command === 'stop') await pool.close()
    else if (command === 'status') return { ok: true, status: pool.status() }
    else throw new Error(`There is no command ${line}. The commands are reload, status and stop.`)
    return { ok: true }
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException
    return { ok: false, error: { message, ...(code !== undefined && { code }) } }
  }
}

function commandOf(line: string): unknown {
  try {
    return (JSON.parse(line) as { command?: unknown } | null)?.command
  } catch {
    return undefined
  }
}
