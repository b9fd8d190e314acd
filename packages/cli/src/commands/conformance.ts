import { type Command, Option } from 'commander'
import { ADDRESS_HELP, parseAppAddress } from '../app-address.ts'
import type { ConformanceFlags } from '../conformance/conformance.ts'
import { collectParam, parseMountPath, parseSeconds } from '../request-flags.ts'

const HELP = `
The app at the address serves a few routes, which are told in the README of @fcgi-bridge/conformance. Each check has connections of its
own. A server that a check has ended is waited for, 5 seconds: let something start it again.

Status 0 when all checks pass that apply, 6 when one fails, 5 when nobody answers.

Examples:
  fcgi-bridge conformance 127.0.0.1:9000
  fcgi-bridge conformance /run/app.sock --only abort closing/keeps
  PHP-FPM:  fcgi-bridge conformance /run/php/php-fpm.sock --base /c.php --params SCRIPT_FILENAME=/srv/c.php`

/** Adds `fcgi-bridge conformance`: which requirements of FastCGI a server meets. */
export function addConformance(program: Command): void {
  const command = program
    .command('conformance')
    .description('ask a FastCGI server over raw bytes which requirements of the specification it meets')
  command
    .addArgument(command.createArgument('[address]', ADDRESS_HELP).argParser(parseAppAddress))
    .addOption(
      new Option(
        '--only <checks...>',
        'these checks: areas such as abort, or names such as abort/kept',
      ).default([], 'all'),
    )
    .option('--list', 'say what the checks are, and ask nobody')
    .addOption(
      new Option('--base <path>', 'where the routes are below the root: SCRIPT_NAME')
        .argParser(parseMountPath)
        .default('', 'the root'),
    )
    .addOption(
      new Option('--params <name=value...>', 'params to add or replace; NAME= is an empty one')
        .argParser(collectParam)
        .default({}, 'none'),
    )
    .addOption(
      new Option('--timeout <seconds>', 'how long anything is waited for')
        .argParser(parseSeconds)
        .default(5000, '5'),
    )
    .option('--json', 'print what is found as JSON')
    .addHelpText('after', HELP)
    .action(async (address: ReturnType<typeof parseAppAddress> | undefined, flags: ConformanceFlags) => {
      if (address === undefined && !flags.list) command.error('error: say the address of the app, or --list')
      // Not before it is wanted: other commands start faster without it.
      const { checkConformance, listChecks } = await import('../conformance/conformance.ts')
      if (flags.list) listChecks(flags)
      else await checkConformance(address!, flags)
    })
}
