// Import the address module only. The whole client loads undici, and `serve` starts faster without it.
import { parseAddress, type SocketAddress } from '@fcgi-bridge/client/address'
import { type Command, InvalidArgumentError } from 'commander'

/** The help text of an address argument or option. */
export const ADDRESS_HELP = 'where the app listens: 127.0.0.1:9000, 9000, [::1]:9000, /run/app.sock'

/** Adds the address of a FastCGI app as an argument. Its parsed value is a {@link SocketAddress}. */
export function addAddress(command: Command): Command {
  return command.addArgument(command.createArgument('<address>', ADDRESS_HELP).argParser(parseAppAddress))
}

/**
 * Parses an address from the command line. In addition to the client's addresses it takes a port alone (on 127.0.0.1) and a
 * relative path. Throws InvalidArgumentError for anything else.
 */
export function parseAppAddress(text: string): SocketAddress {
  if (/^\d+$/.test(text)) text = `127.0.0.1:${text}`
  else if (/^\.{1,2}\/|^[^:]*\.sock$/.test(text)) return { path: text }
  try {
    return parseAddress(text)
  } catch {
    throw new InvalidArgumentError('It takes 127.0.0.1:9000, 9000, [::1]:9000, or the path of a Unix socket.')
  }
}
