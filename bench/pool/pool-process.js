import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { root } from '../../scripts/lib/run.js'
import { makeFolder, removeFolder } from '../lib/folders.js'

// sysconf(_SC_CLK_TCK) is 100 on every Linux that Node supports.
const TICKS = 100

const PROGRAM = ['--conditions=published', `${root}packages/cli/dist/main.js`]
const CONTROL = 'app.ctl'

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
    return cpuOf(this.pid).own
  }

  /** The seconds of CPU time that the master and all of its workers have used, those that have ended, too. */
  get cpu() {
    const { own, ended } = cpuOf(this.pid)
    return this.workers.reduce((sum, pid) => sum + cpuOf(pid).own, own + ended)
  }

  /** Bytes of the master: resident, and those that it does not share. */
  get memory() {
    const rollup = readFileSync(`/proc/${this.pid}/smaps_rollup`, 'latin1')
    const value = (name) => 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(rollup)?.[1])
    return { resident: value('Rss'), own: value('Private_Clean') + value('Private_Dirty') }
  }

  /** Runs `fcgi-bridge COMMAND` for this pool, and rejects if it fails. */
  async command(command, node) {
    const args = [...PROGRAM, command, '--control', join(this.folder, CONTROL)]
    const [code] = await once(spawn(node, args, { stdio: ['ignore', 'ignore', 'inherit'] }), 'exit')
    if (code !== 0) throw new Error(`fcgi-bridge ${command} failed with ${code}.`)
  }

  async stop() {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exit = once(this.#child, 'exit')
      this.#child.kill('SIGTERM')
      await exit
    }
    removeFolder(this.folder)
  }
}

/** @returns {number[]} */
function childrenOf(pid) {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim()
  return text === '' ? [] : text.split(' ').map(Number)
}

/** Seconds of CPU time: of a process itself, and of its children that have ended. Zero if it has ended itself. */
function cpuOf(pid) {
  let stat
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return { own: 0, ended: 0 }
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [user, system, endedUser, endedSystem] = fields.slice(11, 15).map(Number)
  return { own: (user + system) / TICKS, ended: (endedUser + endedSystem) / TICKS }
}
