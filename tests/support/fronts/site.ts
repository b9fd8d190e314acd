import type { SpawnOptions } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  watch,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePorts } from '../../../scripts/lib/free-ports.js'
import { Control } from '../apps/control.js'
import { appEnvironment } from '../apps/options.js'
import { bundledApp } from './bundled-app.ts'
import { accepting, type Listening } from './ports.ts'
import { kill, processesOf, waitForExit } from './processes.ts'
import { Program } from './program.ts'

/** How long programs of a test may take to exit, in milliseconds: mod_fcgid kills an app 8.4 s after the signal. */
const EXIT_TIMEOUT = 30_000

export interface ServerCommand {
  file: string
  args: string[]
  /** Environment variables in addition to those of the test's process. */
  env?: Record<string, string>
  /** The log line that says that it has started, for a server that accepts connections earlier. */
  started?: string
}

/** A temporary folder, and the servers and apps of a test that use it. */
export class Site {
  readonly folder: string = mkdtempSync('/tmp/fcgi-bridge-')
  readonly control: Control
  readonly #controlFolder: string
  readonly #started: Program[] = []
  readonly #servers: Program[] = []
  // A failed test is reported after stop() has removed the folder.
  #lastReport: string | undefined

  constructor() {
    // A front server that is started as root serves as another user.
    chmodSync(this.folder, 0o755)
    this.#controlFolder = this.makeFolder('control')
    this.control = new Control(this.#controlFolder)
  }

  /** Returns a path in the folder. */
  path(...names: string[]): string {
    return join(this.folder, ...names)
  }

  /** Creates a folder in the folder. All users may write to it. */
  makeFolder(...names: string[]): string {
    const path = this.path(...names)
    mkdirSync(path, { recursive: true })
    chmodSync(path, 0o777)
    return path
  }

  write(name: string, text: string): string {
    writeFileSync(this.path(name), text)
    return this.path(name)
  }

  /** The environment of the apps under test. */
  appEnvironment(mount?: string): Record<string, string> {
    return appEnvironment(this.#controlFolder, mount)
  }

  /** Starts tests/support/apps/NAME.js on the address `listen`: a path, or HOST:PORT. */
  async startApp(
    name: string,
    listen: string,
    variables: Record<string, string> = {},
  ): Promise<{ program: Program; at: Listening }> {
    const env = { ...process.env, ...this.appEnvironment(), FCGI_BRIDGE_LISTEN: listen, ...variables }
    const program = this.start(process.execPath, [appFile(name)], { env })
    return { program, at: await listeningOf(program) }
  }

  /**
   * Writes an executable file that runs tests/support/apps/NAME.js, bundled, like a user's app.fcgi. It sets its environment
   * itself, because mod_fcgid passes only PATH.
   */
  writeProgram(at: string, name: string, mount?: string): string {
    const path = this.path(at)
    const app = JSON.stringify(this.write(`${name}.bundle.mjs`, bundledApp(name)))
    const env = JSON.stringify(this.appEnvironment(mount))
    const cache = JSON.stringify(this.makeFolder('compile-cache'))
    writeFileSync(
      path,
      `#!${process.execPath}
Object.assign(process.env, ${env})
const { enableCompileCache, flushCompileCache } = require('node:module')
enableCompileCache?.(${cache})
import(${app}).then(() => flushCompileCache?.())
`,
    )
    chmodSync(path, 0o755)
    return path
  }

  /** Starts a program. {@link stop} ends it. */
  start(file: string, args: string[], options: SpawnOptions = {}): Program {
    const program = new Program(file, args, options)
    this.#started.push(program)
    return program
  }

  /**
   * Starts a server on `count` free ports, and waits until it accepts connections on each. `configure` writes the
   * configuration for these ports and returns the command.
   */
  async startServer(
    count: number,
    configure: (ports: number[]) => ServerCommand | Promise<ServerCommand>,
  ): Promise<{ program: Program; ports: number[] }> {
    for (let attempt = 1; ; attempt++) {
      const ports = await freePorts(count)
      const { file, args, env, started = '' } = await configure(ports)
      const program = this.start(file, args, { env: { ...process.env, ...env } })
      this.#servers.push(program)
      const accepted = await Promise.all(
        ports.map((port) => accepting({ port, host: '127.0.0.1' }, () => !program.running)),
      )
      await Promise.race([this.logged(started), program.exited])
      if (program.running && !accepted.includes(false)) return { program, ports }
      const log = `${program.output}\n${this.errorLog()}`
      if (attempt === 3 || !/address already in use/i.test(log)) {
        throw new Error(`${file} did not start:\n${log}`)
      }
    }
  }

  /** The contents of error.log in the folder. */
  errorLog(): string {
    try {
      return readFileSync(this.path('error.log'), 'utf8')
    } catch {
      return ''
    }
  }

  /** All logs and output, for the report of a failed test. After {@link stop}, those that it found. */
  report(): string {
    return this.#lastReport ?? [this.#appLogs(), this.#output()].filter((text) => text !== '').join('\n')
  }

  /** The logs that apps have written themselves, such as app/tmp/app.log. */
  #appLogs(): string {
    const names = readdirSync(this.folder, { recursive: true, encoding: 'utf8' })
    const logs = names.filter((name) => name.endsWith('.log') && name !== 'error.log')
    return logs.map((name) => `${name}:\n${readFileSync(this.path(name), 'utf8')}`).join('\n')
  }

  #output(): string {
    const printed = this.#started.map((program) => program.output)
    return [this.errorLog(), ...printed].filter((text) => text !== '').join('\n')
  }

  /** Waits until `text` has been logged or printed. */
  logged(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const streams = this.#started.flatMap(({ child }) => [child.stdout!, child.stderr!])
      const look = () => {
        if (!this.#output().includes(text)) return
        watcher.close()
        for (const stream of streams) stream.off('data', look)
        resolve()
      }
      const watcher = watch(this.folder, look).on('error', reject)
      for (const stream of streams) stream.on('data', look)
      look()
    })
  }

  /** The commands of started programs that have exited. Empty until {@link stop}, unless one crashed. */
  ended(): string[] {
    return this.#started.filter(({ running }) => !running).map(({ child }) => child.spawnargs.join(' '))
  }

  /** The running processes of this site. */
  processes(): ReturnType<typeof processesOf> {
    const sessions = this.#started.map((program) => program.pid)
    return processesOf(sessions, this.folder)
  }

  /**
   * Kills the servers of {@link startServer}, and stops the rest as {@link stop} does. For tests that do not test how a
   * server stops: Caddy and H2O wait for responses that nobody reads, and Apache checks its children only after 1.4 s.
   */
  async kill(): Promise<void> {
    for (const server of this.#servers) await server.kill()
    await this.stop()
  }

  /** Stops all programs, last started first. Throws if a process remains, and kills it. */
  async stop(): Promise<void> {
    for (const program of this.#started.toReversed()) await program.stop()
    const left = await waitForExit(() => this.processes(), EXIT_TIMEOUT)
    for (const { pid } of left) kill(pid)
    const report = this.report()
    this.#lastReport = report
    rmSync(this.folder, { recursive: true, force: true })
    if (left.length > 0) {
      throw new Error(
        `Left running: ${left.map(({ pid, command }) => `${pid} ${command}`).join(', ')}\n${report}`,
      )
    }
  }
}

/** The address on which a test app listens. The app prints it. */
export async function listeningOf(program: Program): Promise<Listening> {
  const [, address] = await program.printed(/^listening on (.*)$/m)
  const at: string | { address: string; port: number } = JSON.parse(address!)
  return typeof at === 'string' ? { path: at } : { host: at.address, port: at.port }
}

function appFile(name: string): string {
  return fileURLToPath(new URL(`../apps/${name}.js`, import.meta.url))
}
