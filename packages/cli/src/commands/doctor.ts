import type { SocketAddress } from '@fcgi-bridge/client'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { ADDRESS_HELP, parseAppAddress } from '../app-address.ts'
import type { DoctorFlags } from '../doctor/doctor.ts'
import { addHeaderFlag, addTimeoutFlag } from '../request-flags.ts'
import { parseSize } from '../size.ts'
import type { Output } from '../terminal.ts'

const HELP = `
Stop the app first. With --app, the doctor then listens in the app's place, sends requests through the front server, and compares
what it sent with what arrived. Each error and warning names the line of the front server's config that fixes it. Visitors get a
503 in the meantime. The doctor reports only its own requests.

A front server that starts the app itself (mod_fcgid, lighttpd's bin-path) can start the probe instead. Put this in the file
that it starts, and pass the same token to the doctor:
  #!/usr/bin/env -S fcgi-bridge doctor --probe --token a-long-secret

Exit status: 0 if there is nothing to fix, 5 if no server responds, 6 if there is something to fix.

Examples:
  fcgi-bridge doctor http://127.0.0.1/ --app /run/app.sock
  fcgi-bridge doctor https://shop.example/shop --app 9000 --upload 50m
  fcgi-bridge doctor https://shop.example/ --token a-long-secret
  fcgi-bridge doctor /run/app.sock`

interface CommandFlags extends DoctorFlags {
  probe?: boolean
}

/** Adds `fcgi-bridge doctor`, which finds faults of a front server's config or an app, and how to fix them. */
export function addDoctor(program: Command, stdout: Output): void {
  const command = program
    .command('doctor')
    .description('find faults of a front server or an app, and how to fix them')
    .addArgument(
      program
        .createArgument(
          '[url]',
          'URL of the app at the front server, such as http://127.0.0.1/shop; or the address of an app',
        )
        .argParser(parseSubject),
    )
    .addOption(new Option('--app <address>', ADDRESS_HELP).argParser(parseAppAddress))
    .addOption(
      new Option('--token <token>', 'token of the probe that the front server starts').argParser(parseToken),
    )
    .option('--probe', 'run as the probe: serve in place of the app, started by a front server')
    .addOption(
      new Option(
        '--connect <host:port>',
        "address of the front server, if the URL's host does not resolve to it",
      ).argParser(parseHostPort),
    )
    .addOption(
      new Option('--upload <size>', 'the largest request body that must reach the app: 512k, 20m')
        .argParser(parseSize)
        .default(parseSize('2m'), '2m'),
    )
    .option('--insecure', 'accept any certificate')
  addTimeoutFlag(addHeaderFlag(command), 10)
    .option('--json', 'print what was found as JSON')
    .addHelpText('after', HELP)
    .action(async (subject: URL | SocketAddress | undefined, { probe, ...flags }: CommandFlags) => {
      if (probe && flags.token === undefined)
        command.error('error: --probe needs --token. Choose a long random token')
      const isHost = (name: string, index: number): boolean =>
        index % 2 === 0 && name.toLowerCase() === 'host'
      if (subject instanceof URL && flags.header.some(isHost)) {
        command.error(
          'error: the Host header is taken from the URL. Use --connect to give the address of the front server',
        )
      }
      if (!probe && subject === undefined)
        command.error('error: give the URL of the front server, or the address of the app')
      // Loaded on use, so that other commands start faster.
      const { examine, serveProbe } = await import('../doctor/doctor.ts')
      if (probe) await serveProbe(flags.token!)
      else await examine(subject!, flags, stdout)
    })
}

function parseSubject(text: string): URL | SocketAddress {
  if (!/^https?:\/\//i.test(text)) return parseAppAddress(text)
  if (!URL.canParse(text)) throw new InvalidArgumentError('It takes a URL such as http://127.0.0.1/shop.')
  return new URL(text)
}

function parseHostPort(text: string): { host: string; port: number } {
  const address = parseAppAddress(text)
  if ('path' in address) throw new InvalidArgumentError('It takes a host and a port, such as 127.0.0.1:8080.')
  return address
}

// A client that guesses the token can read what the front server sends to the app.
function parseToken(text: string): string {
  if (!/^[!-~]{8,200}$/.test(text))
    throw new InvalidArgumentError('It takes 8 to 200 visible ASCII characters, without spaces.')
  return text
}
