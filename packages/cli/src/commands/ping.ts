import { type Command, Option } from 'commander'
import { addAddress } from '../app-address.ts'
import type { PingFlags } from '../examine/ping.ts'
import { addRequestFlags, parseTarget } from '../request-flags.ts'

const HELP = `
For health checks: status 0 when all is well, 5 when nobody answers, 6 when the answer is a bad one: a status of 500 or more,
or of 400 or more where --path names a page. Apps that do not answer FCGI_GET_VALUES are well, too.

Examples:
  fcgi-bridge ping /run/app.sock --path /health
  fcgi-bridge ping 127.0.0.1:9000 --no-request
  PHP-FPM:  fcgi-bridge ping /run/php/php-fpm.sock --path /ping --params SCRIPT_NAME=/ping SCRIPT_FILENAME=/ping`

/** Adds `fcgi-bridge ping`: whether an app is well. */
export function addPing(program: Command): void {
  const command = program.command('ping').description('ask a FastCGI app whether it is well')
  addRequestFlags(addAddress(command), 2)
    .addOption(new Option('--path <path>', 'the page to ask for (default: /)').argParser(parseTarget))
    .option('--no-request', 'ask for its values alone (FCGI_GET_VALUES)')
    .option('--json', 'print what it says as JSON')
    .addHelpText('after', HELP)
    .action(async (address, flags: PingFlags) => {
      // Not before it is wanted: other commands start faster without it.
      const { ping } = await import('../examine/ping.ts')
      await ping(address, flags)
    })
}
