import type { SocketAddress } from '@fcgi-bridge/client'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { ADDRESS_HELP, parseAppAddress } from '../app-address.ts'
import type { DoctorFlags } from '../doctor/doctor.ts'
import { addHeaderFlag, addTimeoutFlag } from '../request-flags.ts'
import { parseSize } from '../size.ts'

const HELP = `
With --app, and nobody listening there (stop the app first), the doctor listens in its place, asks the front server for one thing
after the other, and compares what was asked with what came. Errors and warnings come with the line of the front server's config
that mends them. Visitors get a 503 meanwhile; nobody is told what others send.

A front server that starts the app itself (mod_fcgid, lighttpd's bin-path) can start the probe in its place. Put this in the file
that it starts, and give the doctor the same token:
  #!/usr/bin/env -S fcgi-bridge doctor --probe --token a-long-secret

Status 0 when all is well, 5 when nobody answers, 6 when there is something to mend.

Examples:
  fcgi-bridge doctor http://127.0.0.1/ --app /run/app.sock
  fcgi-bridge doctor https://shop.example/shop --app 9000 --upload 50m
  fcgi-bridge doctor https://shop.example/ --token a-long-secret
  fcgi-bridge doctor /run/app.sock`

interface CommandFlags extends DoctorFlags {
  probe?: boolean
}

/** Adds `fcgi-bridge doctor`: what is misconfigured, and what mends it. */
export function addDoctor(program: Command): void {
  const command = program
    .command('doctor')
    .description('find out what is wrong with a front server, or an app, and what mends it')
    .addArgument(
      program
        .createArgument(
          '[url]',
          'where the front server has the app: http://127.0.0.1/shop; or the address of an app',
        )
        .argParser(parseSubject),
    )
    .addOption(new Option('--app <address>', ADDRESS_HELP).argParser(parseAppAddress))
    .addOption(
      new Option('--token <token>', 'of the probe that the front server starts').argParser(parseToken),
    )
    .option('--probe', 'be the probe: serve in place of the app, where a front server says')
    .addOption(
      new Option(
        '--connect <host:port>',
        "where the front server is, if the URL's name does not lead there",
      ).argParser(parseHostPort),
    )
    .addOption(
      new Option('--upload <size>', 'the largest body that should come through: 512k, 20m')
        .argParser(parseSize)
        .default(parseSize('2m'), '2m'),
    )
    .option('--insecure', 'accept any certificate')
  addTimeoutFlag(addHeaderFlag(command), 10)
    .option('--json', 'print what was found as JSON')
    .addHelpText('after', HELP)
    .action(async (subject: URL | SocketAddress | undefined, { probe, ...flags }: CommandFlags) => {
      if (probe && flags.token === undefined) command.error('error: --probe goes with --token')
      const isHost = (name: string, index: number): boolean =>
        index % 2 === 0 && name.toLowerCase() === 'host'
      if (subject instanceof URL && flags.header.some(isHost)) {
        command.error('error: the host is that of the URL; --connect says where the front server is')
      }
      if (!probe && subject === undefined)
        command.error('error: say the URL of the front server, or the address of the app')
      // Not before it is wanted: other commands start faster without it.
      const { examine, serveProbe } = await import('../doctor/doctor.ts')
      if (probe) await serveProbe(flags.token!)
      else await examine(subject!, flags)
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

// Whoever guesses it is told what the app would be sent.
function parseToken(text: string): string {
  if (!/^[!-~]{8,200}$/.test(text))
    throw new InvalidArgumentError('It takes 8 characters or more, without blanks.')
  return text
}
