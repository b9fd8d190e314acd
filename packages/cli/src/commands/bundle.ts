import { type Command, InvalidArgumentError, Option } from 'commander'
import { addAppFlags } from '../app-flags.ts'
import type { BundleCommandFlags } from '../bundler/bundle-app.ts'
import { parseMount } from '../listen-flags.ts'
import { parseSize } from '../size.ts'
import type { Output } from '../terminal.ts'

const HELP = `
Writes one executable file with the app, its packages and their compiled code. An Express app starts in about half
the time. Under CGI each request waits for a start. A front server starts the file as it is, and fcgi-bridge serve serves it, too.

To compile the app, it is run once, with one GET request. Another version of Node ignores the compiled code, and still runs the file.

esbuild makes the bundle. Install it in the app's project: npm install --save-dev esbuild

Examples:
  fcgi-bridge bundle app.js
  fcgi-bridge bundle app.js --output ~/public_html/shop/app.fcgi --external better-sqlite3
  fcgi-bridge serve dist/app.cjs --port 9000`

/** Adds `fcgi-bridge bundle`, which writes an app and its packages into one file. */
export function addBundle(program: Command, stdout: Output): void {
  addAppFlags(
    program.command('bundle').description('write an app and its packages into one file that starts fast'),
  )
    .option('--output <file>', "the file to write (default: dist/NAME.cjs in the app's folder)")
    .option('--external <package...>', 'load these packages from node_modules when the app runs')
    .addOption(
      new Option('--node <path>', 'the Node that runs the file; it is written into the first line').default(
        process.execPath,
        'this one',
      ),
    )
    .option('--request <path>', 'the path of the GET request for which the app is compiled', parsePath, '/')
    .option('--no-request', 'only load the app to compile it')
    .option('--no-cache', 'do not run the app; the file has no compiled code')
    .option(
      '--source-map',
      'stack traces have the lines of the sources, not of the file; Node then reads the map at each start',
    )
    .option(
      '--mount <mount>',
      "where the app is below the site's root: /shop, or auto, script-name, none (default: auto)",
      parseMount,
    )
    .option('--max-body <size>', 'the largest request body, such as 10m', parseSize)
    .option('--log-file <file>', 'write all output to this file')
    .option('--restart-file <file...>', 'shut down as on SIGTERM when one of these files is touched')
    .option('--no-override-global-objects', 'leave the global Request, Response and fetch as they are')
    .addHelpText('after', HELP)
    .action(async (app: string, flags: BundleCommandFlags) => {
      // Loaded on use, so that other commands start faster.
      const { bundleApp } = await import('../bundler/bundle-app.ts')
      await bundleApp(app, flags, stdout)
    })
}

function parsePath(text: string): string {
  if (!/^\/[^#\s]*$/.test(text)) throw new InvalidArgumentError('It takes a path, such as /products?page=1.')
  return text
}
