import type { MountOption, ServeOptions } from '@fcgi-bridge/core'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { parseDuration } from './duration.ts'

/** The values of the flags that {@link addListenFlags} adds. */
export interface ListenFlags {
  port?: number
  host?: string
  path?: string
  mode?: number
  fd?: number
  backlog?: number
  reusePort?: boolean
  mount?: MountOption
}

/** Adds the flags for the address on which an app listens for FastCGI, and, unless `mount` is false, for its mount. */
export function addListenFlags(command: Command, { mount = true }: { mount?: boolean } = {}): Command {
  command
    .addOption(
      new Option('-p, --port <port>', 'TCP port; 0 picks a free one')
        .argParser(parsePort)
        .conflicts(['path', 'fd']),
    )
    .addOption(
      new Option(
        '--host <address>',
        'with --port (default: 127.0.0.1). Any client that can connect can send any param',
      ),
    )
    .addOption(
      new Option('--path <socket>', 'Unix socket; a stale one is replaced')
        .argParser(parseSocketPath)
        .conflicts(['port', 'fd']),
    )
    .addOption(
      new Option('--mode <octal>', 'file mode of the Unix socket (default: 660)').argParser(parseMode),
    )
    .addOption(
      new Option('--fd <number>', 'a file descriptor of a socket that is already listening')
        .argParser(parseNumber)
        .conflicts(['port', 'path']),
    )
    .addOption(
      new Option(
        '--backlog <connections>',
        'how many connections may wait to be accepted (default: 511; Linux limits it to net.core.somaxconn)',
      ).argParser(parseBacklog),
    )
    .addOption(
      new Option(
        '--reuse-port',
        'with --port: let other processes listen on the same port, with a socket each (Node 22.12 or later)',
      ).conflicts(['path', 'fd']),
    )
  if (!mount) return command
  return command.addOption(
    new Option(
      '--mount <mount>',
      "where the app is below the site's root: /shop, or auto, script-name, none (default: auto). Use script-name under mod_fcgid's FcgidWrapper, and in a shell script",
    ).argParser(parseMount),
  )
}

/** Adds `--drain-delay`. */
export function addDrainDelay(command: Command): Command {
  return command.option(
    '--drain-delay <time>',
    'how long to continue to serve after SIGTERM, while the health path responds with 503, before draining (default: 0)',
    parseDuration,
  )
}

/** The listen options from the flags. Without an address, the process that started this one provides the socket. */
export function listenOptionsOf(command: Command, flags: ListenFlags): ServeOptions {
  const { port, host, path, mode, fd, backlog, reusePort } = flags
  if (host !== undefined && port === undefined) command.error('error: --host needs a TCP port. Add --port')
  if (mode !== undefined && (port !== undefined || fd !== undefined)) {
    command.error('error: --mode applies to Unix sockets only. Use it with --path')
  }
  if (reusePort && port === undefined) command.error('error: --reuse-port needs a TCP port. Add --port')
  const queue = backlog === undefined ? {} : { backlog }
  if (port !== undefined) {
    return { ...queue, port, ...(host !== undefined && { host }), ...(reusePort && { reusePort }) }
  }
  if (fd !== undefined) return { ...queue, fd }
  return { ...queue, ...(path !== undefined && { path }), ...(mode !== undefined && { mode }) }
}

/** Parses a TCP port from the command line. Throws InvalidArgumentError if it is not a port. */
export function parsePort(text: string): number {
  const port = parseNumber(text)
  if (port > 65535) throw new InvalidArgumentError('It takes a port from 0 to 65535.')
  return port
}

/** Returns the path of a Unix socket, also of one that is written `unix:/run/app.sock`, as nginx and FCGI_BRIDGE_LISTEN write it. */
export function parseSocketPath(text: string): string {
  return text.replace(/^unix:(?=.)/, '')
}

function parseNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It takes a number.')
  return Number(text)
}

function parseBacklog(text: string): number {
  const backlog = parseNumber(text)
  if (backlog === 0) throw new InvalidArgumentError('It takes a number of at least 1.')
  return backlog
}

function parseMode(text: string): number {
  if (!/^0?[0-7]{3}$/.test(text)) throw new InvalidArgumentError('It takes an octal number such as 660.')
  return Number.parseInt(text, 8)
}

/** Parses a mount from the command line. Throws InvalidArgumentError if it is not one. */
export function parseMount(text: string): MountOption {
  if (text === 'auto' || text === 'script-name' || text === 'none' || text.startsWith('/')) {
    return text as MountOption
  }
  throw new InvalidArgumentError('It takes a path such as /shop, or auto, script-name or none.')
}
