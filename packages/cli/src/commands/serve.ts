import { type Command, Option } from 'commander'
import type { ServeFlags } from '../app/serve-app.ts'
import { addAppFlags } from '../app-flags.ts'
import { addListenFlags, listenOptionsOf } from '../listen-flags.ts'
import { parseSize } from '../size.ts'

const HELP = `
Without --port, --path or --fd it listens where the one who started it says, the first of these that is there:
a socket of systemd's, a listening socket as standard input (mod_fcgid, lighttpd's bin-path, spawn-fcgi, H2O), a
CGI environment (it answers that one request), the variable FCGI_BRIDGE_LISTEN.

NODE_ENV is production, unless it is set. When a front server or systemd starts it, the working directory is the folder of
the app's package.json, or else the folder of the module.

Examples:
  fcgi-bridge serve ./app.js --port 9000
  fcgi-bridge serve ./app.js --path /run/app.sock --mode 660
  Apache:    FcgidWrapper "/usr/bin/env fcgi-bridge serve /srv/app.js --mount script-name" .web
  lighttpd:  "bin-path" => "/usr/local/bin/fcgi-bridge serve /srv/app.js"`

/** Adds `fcgi-bridge serve`: an app as a FastCGI server. */
export function addServe(program: Command): void {
  const command = program.command('serve').description("serve an app's module over FastCGI")
  addAppFlags(command)
  addListenFlags(command)
    .option(
      '--max-body <size>',
      'the largest request body, such as 10m (default: what the front server lets through)',
      parseSize,
    )
    .option('--log', 'a line for each request (default: where you say where to listen)')
    .option('--no-log', 'no lines')
    .addOption(
      new Option('--log-format <format>', 'how the lines look')
        .choices(['short', 'combined'])
        .default('short'),
    )
    .option('--json', 'print the address and the lines as JSON')
    .option('--check', 'load the module, say what the app is, and end')
    .addHelpText('after', HELP)
    .action(async (file: string, flags: ServeFlags) => {
      const listen = listenOptionsOf(command, flags)
      // Not before it is wanted: other commands start faster without it.
      const { checkApp, serveApp } = await import('../app/serve-app.ts')
      if (flags.check) await checkApp(file, flags)
      else await serveApp(file, flags, listen)
    })
}
