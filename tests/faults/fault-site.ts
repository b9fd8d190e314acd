import { readdirSync, readlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Peer } from '@fcgi-bridge/testing'
import { freePorts } from '../../scripts/lib/free-ports.js'
import type { Origin } from '../support/fronts/front.ts'
import { startNginx } from '../support/fronts/nginx.ts'
import { accepting, type Listening } from '../support/fronts/ports.ts'
import { kill, type Process } from '../support/fronts/processes.ts'
import type { Program } from '../support/fronts/program.ts'
import { Site } from '../support/fronts/site.ts'

/** The apps with faults: tests/support/apps/NAME.js. */
export const FAULTY_APPS = ['faulty-express', 'faulty-fetch'] as const

/** The file of an app. */
export function appFile(name: string): string {
  return fileURLToPath(new URL(`../support/apps/${name}.js`, import.meta.url))
}

/** A running app, and its address. */
export interface RunningApp {
  name: string
  at: Listening
  program: Program
}

/** A site whose processes the test can kill. */
export class FaultSite extends Site {
  /** The apps that this site started, without those that a front server started. */
  readonly apps: RunningApp[] = []

  override async startApp(
    name: string,
    listen: string,
    variables?: Record<string, string>,
  ): ReturnType<Site['startApp']> {
    // Reserve the port: another test must not receive it while no app listens on it.
    const [port] = await freePorts(1)
    const started = await super.startApp(name, listen.replace(/:0$/, `:${port}`), variables)
    this.apps.push({ name, ...started })
    return started
  }

  /** Starts an app at the address of one that has exited. */
  async restart({ name, at }: RunningApp): Promise<Program> {
    const listen = 'path' in at ? at.path : `${at.host}:${at.port}`
    return (await this.startApp(name, listen)).program
  }

  /**
   * Starts an app on a Unix socket, and nginx in front of it. `script` is a shell script in which `"$@"` is the app's command.
   */
  async startBehindNginx(
    name: string,
    script = 'exec "$@"',
    variables: Record<string, string> = {},
  ): Promise<{ origin: Origin } & RunningApp> {
    const at = { path: this.path('app.sock') }
    const env = { ...process.env, ...this.appEnvironment(), FCGI_BRIDGE_LISTEN: at.path, ...variables }
    const program = this.start('/bin/sh', ['-c', script, 'sh', process.execPath, appFile(name)], { env })
    if (!(await accepting(at, () => !program.running))) throw new Error(`${name} did not start.`)
    const app = { name, at, program }
    this.apps.push(app)
    const [port] = await startNginx(
      this,
      1,
      ([port]) => `
        client_max_body_size 0;
        server {
          listen 127.0.0.1:${port};
          location / { include /etc/nginx/fastcgi_params; fastcgi_pass unix:${at.path}; }
        }`,
    )
    return { ...app, origin: { host: '127.0.0.1', port: port! } }
  }

  /** The process ids of the front server. */
  fronts(): Process[] {
    const apps = this.apps.map(({ program }) => program.pid)
    return this.processes().filter(({ pid }) => !apps.includes(pid))
  }

  /** Kills all processes of the front server. */
  killFronts(): void {
    for (const { pid } of this.fronts()) kill(pid)
  }
}

/** The number of open sockets of a process. */
export function socketsOf(pid: number): number {
  const folder = `/proc/${pid}/fd`
  return readdirSync(folder).filter((name) => {
    try {
      return readlinkSync(`${folder}/${name}`).startsWith('socket:')
    } catch {
      return false // It was closed in the meantime.
    }
  }).length
}

/** Sends a request to an app without a front server, and returns the whole response. */
export async function askDirectly(at: Listening, target: string): Promise<string> {
  const peer = await Peer.connect(at)
  try {
    peer.get(1, { REQUEST_URI: target })
    return (await peer.response(1)).stdout
  } finally {
    peer.destroy()
  }
}
