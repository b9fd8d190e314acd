import type { Command } from 'commander'
import { addDrainDelay, addListenFlags, type ListenFlags, listenOptionsOf } from '../listen-flags.ts'
import { addPoolFlags, type PoolFlags, wantedWorkers } from '../pool-flags.ts'

const HELP = `
The program calls serve(app) of an adapter, without an address. The address is given here, or inherited as by fcgi-bridge serve. Without
--workers and WEB_CONCURRENCY there is one worker.

Examples:
  fcgi-bridge run server.mjs --port 9000 --workers 4
  fcgi-bridge run server.mjs --path /run/app.sock --workers auto -- --config prod.json`

/** Adds `fcgi-bridge run`, which runs a program that serves an app itself in worker processes. */
export function addRun(program: Command): void {
  const command = program
    .command('run')
    .description('run a program, which calls serve(app) itself, in several processes')
    .argument('<program>', 'the program, as for node')
    .argument('[args...]', 'its arguments, after --')
  addDrainDelay(addPoolFlags(addListenFlags(command, { mount: false })))
    .option(
      '--restart-file <file...>',
      'reload when one of these files is touched (default: tmp/restart.txt and restart.txt)',
    )
    .option('--json', 'print the address and the log lines as JSON')
    .addHelpText('after', HELP)
    .action(async (file: string, args: string[], flags: PoolFlags & ListenFlags & { json?: boolean }) => {
      const listen = listenOptionsOf(command, flags)
      const workers = wantedWorkers(command, flags) ?? 1
      // Loaded on use, so that other commands start faster.
      const { runProgram } = await import('../pool/serve-pool.ts')
      await runProgram(file, args, flags, listen, workers)
    })
}
