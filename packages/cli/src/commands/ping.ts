import { type Command, Option } from 'commander'
import { addAddress } from '../app-address.ts'
import type { PingFlags } from '../examine/ping.ts'
import { addRequestFlags, parseTarget } from '../request-flags.ts'

const HELP = `
For health checks. Exit status: 0 if the app is healthy, 5 if no server responds, 6 if the response has a status of 500 or more,
or of 400 or more if --path names a page. An app may ignore FCGI_GET_VALUES and still be healthy.

Examples:
  fcgi-bridge ping /run/app.sock --path /health
  fcgi-bridge ping 127.0.0.1:9000 --no-request
  PHP-FPM:  fcgi-bridge ping /run/php/php-fpm.sock --path /ping --params SCRIPT_NAME=/ping SCRIPT_FILENAME=/ping`

/** Adds `fcgi-bridge ping`, which checks the health of an app. */
export function addPing(program: Command): void {
  const command = program.command('ping').description('check whether a FastCGI app is healthy')
  addRequestFlags(addAddress(command), 2)
    .addOption(new Option('--path <path>', 'path to request (default: /)').argParser(parseTarget))
    .option('--no-request', 'send FCGI_GET_VALUES only, and no request')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', HELP)
    .action(async (address, flags: PingFlags) => {
      // Loaded on use, so that other commands start faster.
      const { ping } = await import('../examine/ping.ts')
      await ping(address, flags)
    })
}
