import type { ServeOptions } from '@fcgi-bridge/core'
import { type Command, Option } from 'commander'
import { detach, isDetached } from '../app/detach.ts'
import type { ServeFlags } from '../app/serve-app.ts'
import { addAppFlags } from '../app-flags.ts'
import { addDrainDelay, addListenFlags, listenOptionsOf } from '../listen-flags.ts'
import { addPoolFlags, type PoolFlags, workersOf } from '../pool-flags.ts'
import { parseSize } from '../size.ts'

const HELP = `
Without --port, --path or --fd, the app listens on the first of these that exists: a socket from systemd, a listening socket as
standard input (mod_fcgid, lighttpd's bin-path, spawn-fcgi, H2O), a CGI environment (for that one request), the address in the
variable FCGI_BRIDGE_LISTEN.

NODE_ENV is production, unless it is set. If a front server or systemd starts the app, the working directory is the folder of
the app's package.json, or the folder of the module if there is none.

With --workers, a master process holds the sockets and starts the workers. SIGHUP or fcgi-bridge reload replaces them without
losing a request; SIGTTIN and SIGTTOU add and remove one.

Examples:
  fcgi-bridge serve ./app.js --port 9000
  fcgi-bridge serve ./app.js --port 9000 --workers auto --control /run/app.ctl
  fcgi-bridge serve ./app.js --path /run/app.sock --mode 660
  Apache:    FcgidWrapper "/usr/bin/env fcgi-bridge serve /srv/app.js --mount script-name" .web
  lighttpd:  "bin-path" => "/usr/local/bin/fcgi-bridge serve /srv/app.js"`

/** Adds `fcgi-bridge serve`, which runs an app as a FastCGI server. */
export function addServe(program: Command): void {
  const command = program.command('serve').description("serve an app's module over FastCGI")
  addAppFlags(command)
  addDrainDelay(addPoolFlags(addListenFlags(command)))
    .option(
      '--health-path <path>',
      'respond to this path without the app, such as /healthz: 200, or 503 when the program is about to end',
    )
    .option(
      '--max-body <size>',
      'the largest request body, such as 10m (default: what the front server lets through)',
      parseSize,
    )
    .option(
      '--log',
      'log a line for each request (default: if the command line or FCGI_BRIDGE_LISTEN gives the address)',
    )
    .option('--no-log', 'do not log requests')
    .addOption(
      new Option('--log-format <format>', 'format of the log lines')
        .choices(['short', 'combined'])
        .default('short'),
    )
    .option('--json', 'print the address and the log lines as JSON')
    .option(
      '--restart-file <file...>',
      'shut down as on SIGTERM, or reload the workers, when one of these files is touched (default, with workers or if a front server started the app: tmp/restart.txt and restart.txt)',
    )
    .option(
      '--shared [folder]',
      "serve the app in one of the processes that the front server starts; the others relay to it, through a socket in this folder (default: tmp/shared/NAME in the app's folder, for a module NAME.js)",
    )
    .option(
      '--program <file>',
      'the file that the front server runs, if it is not the module of the app; when it changes, the process ends',
    )
    .option(
      '--log-file <file>',
      'write all output to this file instead (mode 0600; over 10 MiB it is renamed to FILE.1)',
    )
    .option('--detach', 'run in the background; exit with 0 when the app listens', false)
    .option(
      '--no-override-global-objects',
      'leave the global Request, Response and fetch as they are; a request to a fetch handler then costs more',
    )
    .option('--check', 'load the module, print the kind of app, and exit')
    .addHelpText('after', HELP)
    .action(async (file: string, flags: ServeFlags & PoolFlags) => {
      const listen = listenOptionsOf(command, flags)
      if (flags.healthPath !== undefined) await checkHealthPath(command, flags.healthPath)
      if (flags.detach && !isDetached) {
        if (flags.port === undefined && flags.path === undefined) {
          command.error('error: --detach needs an address: add --path /run/app.sock or --port 9000')
        }
        return detach()
      }
      const workers = flags.check ? undefined : workersOf(command, flags)
      if (workers !== undefined) {
        if (flags.shared !== undefined) command.error('error: --shared runs one process. Leave out --workers')
        // Loaded on use, so that other commands start faster.
        const { servePool } = await import('../pool/serve-pool.ts')
        await servePool(file, flags, listen, workers)
        return
      }
      if (flags.shared !== undefined && !flags.check) await shareDefault(command, file, flags, listen)
      const { checkApp, serveApp } = await import('../app/serve-app.ts')
      if (flags.check) await checkApp(file, flags)
      else {
        const { runCommandInClusterWorkers } = await import('../app/cluster-workers.ts')
        runCommandInClusterWorkers()
        await serveApp(file, flags, listen)
      }
    })
}

async function checkHealthPath(command: Command, path: string): Promise<void> {
  // Loaded on use, so that other commands start faster.
  const { isHealthPath } = await import('@fcgi-bridge/core/manager')
  if (isHealthPath(path)) return
  command.error(`error: --health-path ${path} is not a path. It takes a path, such as /healthz.`)
}

// main.ts has shared the app already if the flag names a folder.
async function shareDefault(
  command: Command,
  file: string,
  { shared, program }: ServeFlags,
  listen: ServeOptions,
): Promise<void> {
  const { hasPlace } = await import('../app/started-by.ts')
  if (hasPlace(listen))
    command.error('error: --shared is for apps that a front server starts, without an address')
  if (shared !== true) return
  const [{ findModule }, { sharedFolder }, { shareApp }] = await Promise.all([
    import('../app/load-module.ts'),
    import('../app/project-folder.ts'),
    import('../shared-start.ts'),
  ])
  await shareApp(sharedFolder(findModule(file)), program)
}
