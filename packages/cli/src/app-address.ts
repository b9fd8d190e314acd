// Not the whole client, which loads undici: `serve` starts faster without it.
import { parseAddress, type SocketAddress } from '@fcgi-bridge/client/address'
import { type Command, InvalidArgumentError } from 'commander'

/** What the help of a command says of an address. */
export const ADDRESS_HELP = 'where the app listens: 127.0.0.1:9000, 9000, [::1]:9000, /run/app.sock'

/** Adds the address of a FastCGI app as argument: a {@link SocketAddress}. */
export function addAddress(command: Command): Command {
  return command.addArgument(command.createArgument('<address>', ADDRESS_HELP).argParser(parseAppAddress))
}

/** Reads an address of the command line: those of the client, a port alone (of 127.0.0.1), a relative path. */
export function parseAppAddress(text: string): SocketAddress {
  if (/^\d+$/.test(text)) text = `127.0.0.1:${text}`
  else if (/^\.{1,2}\/|^[^:]*\.sock$/.test(text)) return { path: text }
  try {
    return parseAddress(text)
  } catch {
    throw new InvalidArgumentError('It takes 127.0.0.1:9000, 9000, [::1]:9000, or the path of a Unix socket.')
  }
}
