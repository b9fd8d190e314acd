import { accepting, type Listening } from '../fronts/ports.ts'
import { type ServerCommand, Site } from '../fronts/site.ts'

/** A FastCGI server that runs: one that this project did not write, or its own. */
export interface Peer {
  readonly address: Listening
  /** Its folder, what it printed, and the {@link Control} that its `/stream` listens to. */
  readonly site: Site
  /** Ends it; throws when a process of it is left. */
  stop(): Promise<void>
}

/** What it listens on. Default: `unix`. */
export interface PeerOptions {
  readonly socket?: 'unix' | 'tcp'
}

/**
 * Starts a server and waits until it accepts. `configure` writes its configuration and gives its command; `listen` is
 * a path, or HOST:PORT.
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
