import { type Command, Option } from 'commander'
import { addAppFlags } from '../app-flags.ts'
import type { DevFlags } from '../dev/develop.ts'
import { parsePort } from '../listen-flags.ts'
import { parseMountPath } from '../request-flags.ts'

const HELP = `
The app runs in a process of its own, behind FastCGI and an HTTP server, as it will behind a front server. It is started
again when code below the folder of its package.json changes; requests wait meanwhile. The inspector, at
/__fcgi, shows the requests as they come. NODE_ENV is development, unless it is set.

Examples:
  fcgi-bridge dev app.js
  fcgi-bridge dev src/app.js --port 3000 --mount /shop --watch views`

/** Adds `fcgi-bridge dev`: an app behind an HTTP server of its own, started again at each change. */
export function addDev(program: Command): void {
  const command = program
    .command('dev')
    .description('serve an app over FastCGI and HTTP on this machine, and start it again at each change')
  addAppFlags(command)
    .addOption(
      new Option('-p, --port <port>', 'TCP port (default: 8080, or a free one)').argParser(parsePort),
    )
    .option(
      '--host <address>',
      'another address to listen on; the inspector answers on this machine alone',
      '127.0.0.1',
    )
    .addOption(
      new Option('--mount <path>', "where the app is below the site's root, such as /shop")
        .argParser(parseMountPath)
        .default('', 'the root'),
    )
    .option('--watch <paths...>', 'more files and folders, any change of which starts the app again', [])
    .option('--no-log', 'no line for each request')
    .option('--json', 'print the URL as JSON')
    .addHelpText('after', HELP)
    .action(async (name: string, flags: DevFlags) => {
      // Not before it is wanted: other commands start faster without it.
      const { develop } = await import('../dev/develop.ts')
      await develop(name, flags)
    })
}
