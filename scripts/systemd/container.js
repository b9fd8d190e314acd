import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { childrenOf, commandOf } from '../lib/processes.js'

// Milliseconds.
const BOOT_TIMEOUT = 60_000
const SHUTDOWN_TIMEOUT = 30_000

/**
 * A Debian that systemd has booted, in systemd-nspawn, which needs root. It shares this machine's network. Changes to its own files are lost when
 * it ends.
 */
export class Container {
  #child
  /** systemd. */
  #init = 0

  /**
   * Boots the Debian in `folder`, and resolves when systemd has started its basic units. `readable` and `writable` are folders or files
   * of this machine, by their paths in the container.
   * @param {{ folder: string, readable: Record<string, string>, writable: Record<string, string> }} options
   */
  static async boot({ folder, readable, writable }) {
    const bind = (flag, paths) =>
      Object.entries(paths).map(([inside, outside]) => `${flag}=${outside}:${inside}`)
    const args = [
      // systemd 257 needs cgroup 2.
      'SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1',
      'systemd-nspawn',
      '--quiet',
      `--directory=${folder}`,
      '--volatile=overlay',
      // Without these two, nspawn needs a systemd on this machine.
      '--register=no',
      '--keep-unit',
      '--console=pipe',
      ...bind('--bind-ro', readable),
      ...bind('--bind', writable),
      '--boot',
      '--',
      // Not Debian's own web servers, which multi-user.target would start.
      '--unit=basic.target',
    ]
    const container = new Container()
    container.#child = spawn('env', args, { stdio: ['ignore', 'inherit', 'inherit'] })
    try {
      await container.#booted()
    } catch (error) {
      await container.stop()
      throw error
    }
    return container
  }

  /**
   * Runs a program in the container. Its output is returned, and not printed.
   * @param {string[]} args
   * @returns {Promise<{ status: number | null, stdout: string, stderr: string }>}
   */
  async run(...args) {
    const command = [`--target=${this.#init}`, '--all', '--', ...args]
    const child = spawn('nsenter', command, { stdio: ['ignore', 'pipe', 'pipe'] })
    const read = async (stream) => (await stream.setEncoding('utf8').toArray()).join('')
    const [stdout, stderr] = [read(child.stdout), read(child.stderr)]
    const [status] = await once(child, 'close')
    return { status, stdout: await stdout, stderr: await stderr }
  }

  /** Runs a program. Returns its standard output, and rejects with all of its output if it fails. @param {string[]} args */
  async must(...args) {
    const { status, stdout, stderr } = await this.run(...args)
    if (status !== 0) throw new Error(`${args.join(' ')} failed with ${status}:\n${stdout}${stderr}`)
    return stdout.trim()
  }

  async stop() {
    if (this.#hasEnded) return
    const exit = once(this.#child, 'exit')
    // systemd-nspawn shuts the container down.
    this.#child.kill('SIGTERM')
    const end = new AbortController()
    const killed = setTimeout(SHUTDOWN_TIMEOUT, undefined, { signal: end.signal }).then(
      () => this.#child.kill('SIGKILL'),
      () => {},
    )
    await exit
    end.abort()
    await killed
  }

  get #hasEnded() {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  async #booted() {
    for (const end = Date.now() + BOOT_TIMEOUT; Date.now() < end; await setTimeout(200)) {
      if (this.#hasEnded) break
      this.#init = initBelow(this.#child.pid)
      if (this.#init === 0) continue
      // `degraded`: a unit that this container cannot have.
      const { stdout } = await this.run('systemctl', 'is-system-running')
      if (/^(running|degraded)$/m.test(stdout)) return
    }
    throw new Error('systemd did not boot in systemd-nspawn.')
  }
}

/** The process id of systemd among the descendants of a process, or 0. */
function initBelow(pid) {
  for (const child of childrenOf(pid)) {
    const found = /(^|\/)(systemd|init)$/.test(commandOf(child)[0] ?? '') ? child : initBelow(child)
    if (found > 0) return found
  }
  return 0
}
