import { type PoolCommand, type PoolReply, type PoolStatus, sendCommand } from '@fcgi-bridge/pool'
import { formatTcpAddress } from '../app/announce.ts'
import { formatDuration } from '../duration.ts'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import { painter, printJson } from '../terminal.ts'
import { controlPath } from './control-path.ts'

/** The flags of `fcgi-bridge reload`, `status` and `stop`. */
export interface ControlFlags {
  control?: string
  json?: boolean
  wait?: boolean
}

/** Sends a command to a running pool and prints the result. Throws a Failure if the pool cannot be reached, or has failed. */
export async function control(command: PoolCommand['command'], flags: ControlFlags): Promise<void> {
  const path = controlPath(flags)
  if (path === undefined) {
    throw new Failure(
      EXIT.usage,
      'The pool is not specified. Pass the --control SOCKET of fcgi-bridge serve, or set FCGI_BRIDGE_CONTROL.',
    )
  }
  const reply = await send(path, command)
  if (!reply.ok) throw new Failure(EXIT.failed, reply.error.message, { code: reply.error.code ?? 'ERROR' })
  if (reply.status !== undefined) {
    if (flags.json) printJson(reply.status)
    else process.stdout.write(statusText(reply.status))
  } else if (flags.json) printJson({ [command]: 'done' })
}

async function send(path: string, command: PoolCommand['command']): Promise<PoolReply> {
  try {
    return await sendCommand(path, { command })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const what = { ENOENT: 'does not exist', ECONNREFUSED: 'belongs to a pool that no longer runs' }[
      String(code)
    ]
    throw new Failure(
      EXIT.unreachable,
      what === undefined ? message : `${path} ${what}. Start the pool with --control ${path}.`,
      { cause: error },
    )
  }
}

// The dates are strings: the reply is JSON.
function statusText({
  state,
  reloading,
  wanted,
  startTime,
  requests,
  reloads,
  workers,
  addresses,
}: PoolStatus): string {
  const paint = painter(process.stdout)
  const rows = workers.map((worker) => [
    String(worker.slot),
    String(worker.pid),
    worker.state,
    formatDuration(Date.now() - Date.parse(String(worker.startTime))),
    String(worker.requests),
    String(worker.active),
    `${Math.round(worker.rss / 1024 / 1024)} MiB`,
    `${worker.delay} ms`,
  ])
  const head = ['worker', 'pid', 'state', 'age', 'requests', 'active', 'memory', 'delay']
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]!.length)))
  const line = (cells: string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd()
  const where = addresses.map((address) =>
    typeof address === 'string' ? address : formatTcpAddress(address),
  )
  const age = formatDuration(Date.now() - Date.parse(String(startTime)))
  return [
    `${paint('bold', reloading ? 'reloading' : state)}, ${wanted} workers wanted, started ${age} ago`,
    `listening on ${where.join(', ')}`,
    `${requests} requests, reloads: ${reloads.succeeded} succeeded, ${reloads.failed} failed`,
    '',
    line(head),
    ...rows.map(line),
    '',
  ].join('\n')
}
