import type { PoolReply, PoolStatus } from '@fcgi-bridge/pool'
import { sendCommand } from '@fcgi-bridge/pool'
import { COMMAND_LINE } from '../support/fronts/command-line.ts'
import type { Listening } from '../support/fronts/ports.ts'
import type { Program } from '../support/fronts/program.ts'
import type { Site } from '../support/fronts/site.ts'

/** A running `fcgi-bridge serve --workers`, started by {@link startPool}. */
export interface PoolProgram {
  program: Program
  at: Listening
  /** The address as `FastCgiDispatcher` takes it. */
  address: string
  control: string
  command(command: 'reload' | 'status' | 'stop'): Promise<PoolReply>
  status(): Promise<PoolStatus>
}

/** Starts the app in `file` in a pool, and waits until all workers are ready. */
export async function startPool(
  site: Site,
  file: string,
  { socket = 'tcp', flags = [] }: { socket?: 'tcp' | 'unix'; flags?: readonly string[] } = {},
): Promise<PoolProgram> {
  const control = site.path('app.ctl')
  const listen = socket === 'tcp' ? ['--port', '0'] : ['--path', site.path('app.sock')]
  const args = ['serve', file, ...listen, '--control', control, '--no-log', ...flags]
  const program = site.start(process.execPath, [COMMAND_LINE, ...args], { cwd: site.folder })
  const [, where] = await program.printed(/^Serving .* over FastCGI on (.*)$/m)
  const at = socket === 'tcp' ? { host: '127.0.0.1', port: Number(where!.split(':')[1]) } : { path: where! }
  const command: PoolProgram['command'] = (command) => sendCommand(control, { command })
  return {
    program,
    at,
    address: where!,
    control,
    command,
    async status() {
      const reply = await command('status')
      if (!reply.ok || reply.status === undefined) throw new Error(JSON.stringify(reply))
      return reply.status
    },
  }
}
