import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { childrenOf, endChild } from '../../scripts/lib/processes.js'
import { root } from '../../scripts/lib/run.js'
import { cpuTimeWithChildren, memoryBreakdown } from '../lib/cpu.js'
import { makeFolder, removeFolder } from '../lib/folders.js'

const PROGRAM = ['--conditions=published', `${root}packages/cli/dist/bundle/main.js`]
const CONTROL = 'app.ctl'

/** An app that does nothing else. */
export const HELLO = { name: 'app.mjs', text: "export default { fetch: () => new Response('hello') }\n" }

/** A running `fcgi-bridge serve --workers`. It runs the packages as they are published: call `bundlePackages()` before. */
export class PoolProcess {
  /** A temporary folder, in which the app is. */
  folder
  /** The app's Unix socket. */
  path
  /** The lines that master and workers have printed since the pool was ready. @type {string[]} */
  lines = []
  #child

  constructor(folder, path, child) {
    this.folder = folder
    this.path = path
    this.#child = child
  }

  /**
   * Starts a pool, and resolves when all workers are ready.
   * @param {{ node: string, workers: number, app: { name: string, path: string } | { name: string, text: string }, flags?: (folder: string) => string[] }} options
   *   The app is a file, or the text of one.
   */
  static async start({ node, workers, app, flags = () => [] }) {
    const folder = makeFolder()
    const path = join(folder, 'app.sock')
    const file = 'path' in app ? app.path : join(folder, app.name)
    if ('text' in app) writeFileSync(file, app.text)
    const own = ['--path', path, '--control', join(folder, CONTROL), '--workers', String(workers), '--no-log']
    const child = spawn(node, [...PROGRAM, 'serve', file, ...own, ...flags(folder)], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_ENV: 'production' },
    })
    const pool = new PoolProcess(folder, path, child)
    let isReady = false
    const ready = new Promise((resolve, reject) => {
      for (const input of [child.stdout, child.stderr]) {
        createInterface({ input }).on('line', (line) => {
          if (isReady) pool.lines.push(line)
          else if (!line.startsWith('Serving ')) console.error(line)
          else {
            isReady = true
            resolve(undefined)
          }
        })
      }
      child.once('exit', (code, signal) => reject(new Error(`The pool ended (${signal ?? code}).`)))
    })
    try {
      await ready
    } catch (error) {
      await pool.stop()
      throw error
    }
    return pool
  }

  /** The process id of the master. */
  get pid() {
    return this.#child.pid
  }

  /** The process ids of the workers. @returns {number[]} */
  get workers() {
    return childrenOf(this.pid)
  }

  /** The seconds of CPU time that the master has used. */
  get masterCpu() {
    return cpuTimeWithChildren(this.pid).own / 1000
  }

  /** The seconds of CPU time that the master and all of its workers have used, including workers that have ended. */
  get cpu() {
    const { own, ended } = cpuTimeWithChildren(this.pid)
    return this.workers.reduce((sum, pid) => sum + cpuTimeWithChildren(pid).own, own + ended) / 1000
  }

  /** Of the master. See {@link memoryBreakdown}. */
  get memory() {
    return memoryBreakdown(this.pid)
  }

  /** Runs `fcgi-bridge COMMAND` for this pool, and rejects if it fails. */
  async command(command, node) {
    const args = [...PROGRAM, command, '--control', join(this.folder, CONTROL)]
    const [code] = await once(spawn(node, args, { stdio: ['ignore', 'ignore', 'inherit'] }), 'exit')
    if (code !== 0) throw new Error(`fcgi-bridge ${command} failed with ${code}.`)
  }

  async stop() {
    await endChild(this.#child)
    removeFolder(this.folder)
  }
}
