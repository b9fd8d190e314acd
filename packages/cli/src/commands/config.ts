import { Argument, type Command, Option } from 'commander'
import { addAppFlags } from '../app-flags.ts'
import type { ConfigFlags } from '../config/print-config.ts'
import { SERVERS, type ServerName } from '../config/servers.ts'
import { checkFlags } from '../config/supported-flags.ts'
import {
  parseListen,
  parseName,
  parseServerName,
  parseTcpAddress,
  parseUrlPath,
  parseUser,
} from '../config/values.ts'
import { parseSocketPath } from '../listen-flags.ts'
import { parseWorkers } from '../pool-flags.ts'
import { parseSize } from '../size.ts'
import type { Output } from '../terminal.ts'

const HELP = `
Name the app's module, or the address of a FastCGI app with --socket or --address. The comment at the top of a config says where
to save it, how to check it with the server, and how to start the app.

Examples:
  fcgi-bridge config nginx app.js
  fcgi-bridge config nginx app.js --server-name example.com --socket /run/app.sock --static public
  fcgi-bridge config nginx --address 127.0.0.1:9000 --mount /shop --tls-cert cert.pem --tls-key key.pem`

/** Adds `fcgi-bridge config`, which prints a front server's config for an app. */
export function addConfig(program: Command, stdout: Output): void {
  const server = new Argument('<server>', 'what the config is for').choices(SERVERS)
  const command = program
    .command('config')
    .description('print a config of a front server, or units of systemd, for an app')
    .addArgument(server)
  addAppFlags(command, '[app]')
    .option('--name <name>', 'name of files and upstreams (default: the name of the app)', parseName)
    .addOption(
      new Option('--socket <path>', 'the app listens on a Unix socket')
        .argParser(parseSocketPath)
        .conflicts('address'),
    )
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
    .option(
      '--static <folder>',
      'files that the server serves itself; the app gets every other URL (default: those of a known framework)',
    )
    .option('--no-static', 'let the app serve the files of its framework (Next.js, Nuxt, SvelteKit, …)')
    .option('--static-url <path>', 'path of the URLs of these files (default: the mount)', parseUrlPath)
    .addOption(
      new Option('--max-body <size>', 'the largest request body')
        .argParser(parseSize)
        .default(parseSize('10m'), '10m'),
    )
    .option('--tls-cert <file>', 'use HTTPS with this certificate chain, and redirect HTTP to it')
    .option('--tls-key <file>', 'private key of the certificate')
    .option('--redirect-from <port>', 'where HTTP is redirected from (default: 80)', parseListen)
    .option('--buffer', "keep the server's default response buffering, which delays event streams", false)
    .option(
      '--forwarded-headers',
      'send X-Forwarded-For, -Proto and -Host to the app, for libraries that read only headers',
      false,
    )
    .option(
      '--workers <number>',
      'serve the app in this many processes, or auto: one for each processor',
      parseWorkers,
    )
    .option('--per-worker-sockets', 'nginx: a socket for each worker, %i in --socket is its number')
    .option('--spawn', 'lighttpd starts the app, on its own socket or on --socket', false)
    .option('--user <name>', 'systemd: the user that runs the app (default: a dynamic user)', parseUser)
    .option('--server-user <name>', 'systemd: the user that may connect to the socket', parseUser, 'www-data')
    .option(
      '--output <file>',
      'write to a new file, or into a folder; both units of systemd go to FILE.socket and FILE.service',
    )
    .option('--no-check', 'do not check first that fcgi-bridge serve can load the app')
    .option('--json', 'print JSON: files with their paths, the commands that check and reload')
    .addHelpText('after', HELP)
    .action(async (server: ServerName, app: string | undefined, flags: ConfigFlags) => {
      // Loaded on use, so that other commands start faster.
      const { printConfig } = await import('../config/print-config.ts')
      checkFlags(server, (flag) => command.getOptionValueSource(flag) === 'cli')
      await printConfig(server, app, flags, stdout, process.stderr)
    })
}
