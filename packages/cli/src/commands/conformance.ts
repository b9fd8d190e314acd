import { type Command, Option } from 'commander'
import { ADDRESS_HELP, parseAppAddress } from '../app-address.ts'
import type { ConformanceFlags } from '../conformance/conformance.ts'
import { collectParam, parseMountPath, parseSeconds } from '../request-flags.ts'

const HELP = `
The app must serve the routes that the README of @fcgi-bridge/conformance lists. Each check opens its own connections. If a check
ends the server, the next check waits up to 5 seconds for it: use a supervisor that starts it again.

Exit status: 0 if all checks that apply pass, 6 if one fails, 5 if no server responds.

Examples:
  fcgi-bridge conformance 127.0.0.1:9000
  fcgi-bridge conformance /run/app.sock --only abort closing/keeps
  PHP-FPM:  fcgi-bridge conformance /run/php/php-fpm.sock --base /c.php --params SCRIPT_FILENAME=/srv/c.php`

/** Adds `fcgi-bridge conformance`, which checks whether a server meets the requirements of FastCGI. */
export function addConformance(program: Command): void {
  const command = program
    .command('conformance')
    .description('check which requirements of the FastCGI specification a server meets')
  command
    .addArgument(command.createArgument('[address]', ADDRESS_HELP).argParser(parseAppAddress))
    .addOption(
      new Option(
        '--only <checks...>',
        'run these checks only: areas such as abort, or names such as abort/kept',
      ).default([], 'all'),
    )
    .option('--list', 'list the checks without running them')
    .addOption(
      new Option('--base <path>', 'the path of the app that serves the routes, sent as SCRIPT_NAME')
        .argParser(parseMountPath)
        .default('', 'the root'),
    )
    .addOption(
      new Option('--params <name=value...>', 'params to add or replace; NAME= sets an empty value')
        .argParser(collectParam)
        .default({}, 'none'),
    )
    .addOption(
      new Option('--timeout <seconds>', 'timeout of each step of a check')
        .argParser(parseSeconds)
        .default(5000, '5'),
    )
    .option('--json', 'print the results as JSON')
    .addHelpText('after', HELP)
    .action(async (address: ReturnType<typeof parseAppAddress> | undefined, flags: ConformanceFlags) => {
      if (address === undefined && !flags.list)
        command.error('error: give the address of the app, or use --list')
      // Loaded on use, so that other commands start faster.
      const { checkConformance, listChecks } = await import('../conformance/conformance.ts')
      if (flags.list) listChecks(flags)
      else await checkConformance(address!, flags)
    })
}
