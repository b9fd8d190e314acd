import { type Command, Option } from 'commander'
import { addAppFlags } from '../app-flags.ts'
import type { DevFlags } from '../dev/develop.ts'
import { parsePort } from '../listen-flags.ts'
import { parseMountPath } from '../request-flags.ts'

const HELP = `
An HTTP server forwards requests through FastCGI to the app in its own process, as a front server does. When code below the
folder of the app's package.json changes, the app restarts, and new requests wait for it. The inspector at /__fcgi shows the
requests live. NODE_ENV is development, unless it is set.

Examples:
  fcgi-bridge dev app.js
  fcgi-bridge dev src/app.js --port 3000 --mount /shop --watch views`

/** Adds `fcgi-bridge dev`, which serves an app over HTTP and FastCGI and restarts it at each change. */
export function addDev(program: Command): void {
  const command = program
    .command('dev')
    .description('serve an app over FastCGI and HTTP on this machine, and restart it at each change')
  addAppFlags(command)
    .addOption(
      new Option('-p, --port <port>', 'TCP port (default: 8080, or a free one)').argParser(parsePort),
    )
    .option(
      '--host <address>',
      'address to listen on; the inspector responds to this machine only',
      '127.0.0.1',
    )
    .addOption(
      new Option('--mount <path>', "where the app is below the site's root, such as /shop")
        .argParser(parseMountPath)
        .default('', 'the root'),
    )
    .option('--watch <paths...>', 'more files and folders to watch; any change restarts the app', [])
    .option(
      '--no-override-global-objects',
      'leave the global Request, Response and fetch as they are; a request to a fetch handler then costs more',
    )
    .option('--no-log', 'do not log requests')
    .option('--json', 'print the URL as JSON')
    .addHelpText('after', HELP)
    .action(async (name: string, flags: DevFlags) => {
      // Loaded on use, so that other commands start faster.
      const { develop } = await import('../dev/develop.ts')
      await develop(name, flags)
    })
}
