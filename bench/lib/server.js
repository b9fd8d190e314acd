import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { compile } from '../../scripts/lib/compile.js'
import { freePorts } from '../../scripts/lib/free-ports.js'
import { endChild } from '../../scripts/lib/processes.js'
import { root } from '../../scripts/lib/run.js'
import { cpuTime } from './cpu.js'
import { makeFolder, removeFolder } from './folders.js'

/**
 * @typedef {object} ServerSpec
 * @property {string} program A file in `bench/servers`.
 * @property {'fastcgi' | 'http'} protocol
 * @property {boolean} [oneRequestEach] It gets a new connection for each request.
 * @property {string} [variant] What the program takes as its second argument.
 * @property {string[]} [flags] For Node.
 * @property {string} [checkout] The folder of the checkout whose program and packages are run. Default: this one.
 * @property {'nginx' | 'gateway'} [front] The front server between the load and the program. Default: none.
 *
 * @typedef {'unix' | 'tcp'} Transport A Unix socket, or TCP over the loopback.
 */

// Milliseconds.
const START_TIMEOUT = 20_000

/** A server program in a separate process. */
export class Server {
  /** The address on which it listens. @type {import('node:net').NetConnectOpts} */
  address
  /** Milliseconds from the end of Node's own start-up until the program listened. NaN for programs in other languages. */
  startTime = Number.NaN
  #child
  #folder
  #profiled = false

  constructor(child, address, folder) {
    this.#child = child
    this.address = address
    this.#folder = folder
  }

  /**
   * Starts a server. Resolves when it listens.
   * @param {ServerSpec} spec
   * @param {{ node: string, transport: Transport, profiles?: string }} options The Node that runs it, what it listens on, and a
   *   folder for CPU profiles if they are to be written.
   */
  static async start({ checkout = root, program, variant, flags = [] }, { node, profiles, transport }) {
    const folder = makeFolder()
    const address =
      transport === 'tcp'
        ? { host: '127.0.0.1', port: (await freePorts(1))[0] }
        : { path: join(folder, 'app.sock') }
    const child = startProgram(
      join(checkout, 'bench/servers', program),
      node,
      [...flags, ...profileFlags(program, profiles)],
      [String(address.port ?? address.path), ...(variant === undefined ? [] : [variant])],
    )
    const server = new Server(child, address, folder)
    server.#profiled = profiles !== undefined
    try {
      server.startTime = await listening(child, program)
    } catch (error) {
      await server.stop()
      throw error
    }
    return server
  }

  get pid() {
    return this.#child.pid
  }

  /** The CPU time, in microseconds. */
  cpuTime() {
    return cpuTime(this.pid)
  }

  /** Bytes in use on the heap after a garbage collection. The server is started with `--expose-gc`. */
  async heapUsed() {
    const message = once(this.#child, 'message')
    this.#child.send('heap')
    return (await message)[0]
  }

  async stop() {
    await endChild(this.#child, () => {
      // When its channel is closed, a program exits by itself and writes its profile first.
      if (this.#profiled && this.#child.connected) this.#child.disconnect()
      else this.#child.kill('SIGKILL')
    })
    removeFolder(this.#folder)
  }
}

// Each ends when this process has ended: Node programs by their channel, others by their standard input.
function startProgram(file, node, flags, args) {
  const env = { ...process.env, NODE_ENV: 'production' }
  return file.endsWith('.go')
    ? spawn(compile(file), args, { stdio: ['pipe', 'pipe', 'inherit'], env })
    : spawn(node, [...flags, file, ...args], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'], env })
}

/**
 * Node's flags for CPU profiles of a program in `folder`, if there is one. Each program has a folder below it. Node names the files,
 * because each thread writes one: `CPU.DATE.TIME.PID.0.…` is the main thread's.
 */
export function profileFlags(program, folder) {
  return folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${join(folder, program)}`]
}

async function listening(child, program) {
  const signal = AbortSignal.timeout(START_TIMEOUT)
  const lines = createInterface({ input: child.stdout })
  const line = once(lines, 'line', { signal })
  const exit = once(child, 'exit', { signal }).then(([code, killed]) => {
    throw new Error(`${program} exited before it listened (${killed ?? code}).`)
  })
  exit.catch(() => {})
  const [text] = await Promise.race([line, exit])
  return Number(text.split(' ')[1])
}
