import { type Command, Option } from 'commander'
import { addAppFlags } from '../app-flags.ts'
import { parseTcpAddress } from '../config/values.ts'
import type { HtaccessFlags } from '../init/htaccess.ts'
import type { PhpFlags } from '../init/php.ts'
import type { Output } from '../terminal.ts'

const HTACCESS_HELP = `
Writes app.fcgi and .htaccess. Apache starts app.fcgi with mod_fcgid, or as a CGI program where there is no mod_fcgid. Every
URL that names no file goes to the app. No file is overwritten.

Example:
  fcgi-bridge init htaccess app.js --output ~/public_html/shop`

const PHP_HELP = `
Writes index.php and .htaccess. They send every URL that names no file to the app, over FastCGI. The first request
starts the app, if the host lets PHP start programs (proc_open). No file is overwritten.

Examples:
  fcgi-bridge init php app.js --output ~/public_html/shop
  fcgi-bridge init php --socket ~/app/tmp/app.sock --output ~/public_html`

/** Adds `fcgi-bridge init`, which writes the files of a site on a shared host. */
export function addInit(program: Command, stdout: Output): void {
  const init = program.command('init').description('write the files of a site on a shared host')
  addAppFlags(
    init.command('htaccess').description('for a host with Apache and an .htaccess: mod_fcgid or CGI'),
  )
    .option('--output <folder>', 'the folder of the site, which the web server serves', '.')
    .addHelpText('after', HTACCESS_HELP)
    .action(async (app: string, flags: HtaccessFlags) => {
      // Loaded on use, so that other commands start faster.
      const { initHtaccess } = await import('../init/htaccess.ts')
      initHtaccess(app, flags, stdout)
    })
  addAppFlags(
    init
      .command('php')
      .description('for a host that runs only PHP: forward requests to the app with index.php'),
    '[app]',
  )
    .option('--output <folder>', 'the folder of the site, which the web server serves', '.')
    .addOption(
      new Option(
        '--socket <path>',
        "the Unix socket of the app (default: tmp/NAME.sock in the app's folder, for a module NAME.js)",
      ).conflicts('address'),
    )
    .option('--address <host:port>', 'the TCP address of the app', parseTcpAddress)
    .addHelpText('after', PHP_HELP)
    .action(async (app: string | undefined, flags: PhpFlags) => {
      const { initPhp } = await import('../init/php.ts')
      initPhp(app, flags, stdout)
    })
}
