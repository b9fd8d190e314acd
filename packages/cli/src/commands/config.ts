import { Argument, type Command, Option } from 'commander'
import { addAppFlags } from '../app-flags.ts'
import { checkFit } from '../config/fit.ts'
import type { ConfigFlags } from '../config/print-config.ts'
import { SERVERS, type ServerName } from '../config/servers.ts'
import {
  parseListen,
  parseName,
  parseServerName,
  parseTcpAddress,
  parseUrlPath,
  parseUser,
} from '../config/values.ts'
import { parseSize } from '../size.ts'
import type { Output } from '../terminal.ts'

const HELP = `
The app is a module, or whatever answers FastCGI at --socket or --address. The comment at the top of a config says where
to save it, how the server checks it, and how the app is started.

Examples:
  fcgi-bridge config nginx app.js
  fcgi-bridge config nginx app.js --server-name example.com --socket /run/app.sock --static public
  fcgi-bridge config nginx --address 127.0.0.1:9000 --mount /shop --tls-cert cert.pem --tls-key key.pem`

/** Adds `fcgi-bridge config`: a config of a front server for an app. */
export function addConfig(program: Command, stdout: Output): void {
  const server = new Argument('<server>', 'what the config is for').choices(SERVERS)
  const command = program
    .command('config')
    .description('print a config of a front server, or units of systemd, for an app')
    .addArgument(server)
  addAppFlags(command, '[app]')
    .option('--name <name>', 'what files and upstreams are called (default: as the app)', parseName)
    .addOption(new Option('--socket <path>', 'the app listens on a Unix socket').conflicts('address'))
    .option(
      '--address <host:port>',
      'the app listens on a TCP port (default: 127.0.0.1:9000)',
      parseTcpAddress,
    )
    .option('--server-name <name>', 'the host of the URLs (default: localhost)', parseServerName)
    .option(
      '--listen <port>',
      'where the server listens: a port, or host:port (default: 80, 443)',
      parseListen,
    )
    .addOption(
      new Option('--mount <path>', "where the app is below the site's root, such as /shop")
        .argParser(parseUrlPath)
        .default('', 'the root'),
    )
    .option('--static <folder>', 'files that the server serves itself; the app gets every other URL')
    .option(
      '--static-url <path>',
      'what their URLs begin with (default: what those of the app do)',
      parseUrlPath,
    )
    .addOption(
      new Option('--max-body <size>', 'the largest request body')
        .argParser(parseSize)
        .default(parseSize('10m'), '10m'),
    )
    .option('--tls-cert <file>', 'HTTPS, with this chain of certificates; HTTP is redirected to it')
    .option('--tls-key <file>', 'its key')
    .option('--redirect-from <port>', 'where HTTP is redirected from (default: 80)', parseListen)
    .option(
      '--buffer',
      "leave the server's buffering of answers as it is, which holds event streams back",
      false,
    )
    .option('--spawn', 'lighttpd starts the app, on a socket of its own or on --socket', false)
    .option('--user <name>', 'systemd: who runs the app (default: a user made for it)', parseUser)
    .option('--server-user <name>', 'systemd: who may connect to the socket', parseUser, 'www-data')
    .option(
      '--output <file>',
      'write to a new file, or into a folder; both units of systemd go to FILE.socket and FILE.service',
    )
    .option('--no-check', 'do not load the app first, to see whether fcgi-bridge serve can serve it')
    .option('--json', 'print JSON: files with their paths, the commands that check and reload')
    .addHelpText('after', HELP)
    .action(async (server: ServerName, app: string | undefined, flags: ConfigFlags) => {
      // Not before it is wanted: other commands start faster without it.
      const { printConfig } = await import('../config/print-config.ts')
      checkFit(server, (flag) => command.getOptionValueSource(flag) === 'cli')
      await printConfig(server, app, flags, stdout, process.stderr)
    })
}
