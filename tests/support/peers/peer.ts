import { accepting, type Listening } from '../fronts/ports.ts'
import { type ServerCommand, Site } from '../fronts/site.ts'

/** A running FastCGI server: another project's or this project's. */
export interface Peer {
  readonly address: Listening
  /** Its folder and output, and the {@link Control} of its `/stream`. */
  readonly site: Site
  /** Stops the server. Throws if a process remains. */
  stop(): Promise<void>
}

/** The kind of socket. Default: `unix`. */
export interface PeerOptions {
  readonly socket?: 'unix' | 'tcp'
}

/**
 * Starts a server and waits until it accepts connections. `configure` writes its configuration and returns its command.
 * `listen` is a path, or HOST:PORT.
 */
export async function startPeer(
  { socket = 'unix' }: PeerOptions,
  configure: (site: Site, listen: string) => ServerCommand,
): Promise<Peer> {
  const site = new Site()
  try {
    return { address: await start(site, socket, configure), site, stop: () => site.stop() }
  } catch (error) {
    await site.stop()
    throw error
  }
}

async function start(
  site: Site,
  socket: 'unix' | 'tcp',
  configure: (site: Site, listen: string) => ServerCommand,
): Promise<Listening> {
  const withEnvironment = (listen: string): ServerCommand => {
    const command = configure(site, listen)
    return { ...command, env: { ...site.appEnvironment(), ...command.env } }
  }
  const host = '127.0.0.1'
  if (socket === 'tcp') {
    const { ports } = await site.startServer(1, ([port]) => withEnvironment(`${host}:${port}`))
    return { host, port: ports[0]! }
  }
  const address = { path: site.path('peer.sock') }
  const { file, args, env } = withEnvironment(address.path)
  const program = site.start(file, args, { env: { ...process.env, ...env } })
  if (await accepting(address, () => !program.running)) return address
  throw new Error(`${file} did not start:\n${site.report()}`)
}
