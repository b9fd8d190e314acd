import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { required } from './programs.ts'

export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

/** A process that a test started. Keeps its output, and can wait for lines of it and for the exit. */
export class Program {
  readonly child: ChildProcess
  /** Resolves when the process has exited and its output has been read. */
  readonly exited: Promise<Exit>
  /** The output on stdout and stderr so far. */
  output = ''
  #state: 'running' | 'exited' | 'closed' = 'running'
  #changed: (() => void)[] = []

  /**
   * Starts a program in its own session, so that its processes can be identified. The program is killed when the test's
   * process ends for any reason.
   */
  constructor(file: string, args: string[], options: SpawnOptions = {}) {
    this.child = spawn(required('setpriv'), ['--pdeathsig', 'TERM', '--', file, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...options,
      detached: true,
    })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text
        this.#notify()
      })
    }
    const closed = new Promise<void>((resolve) => {
      this.child.once('close', () => {
        this.#state = 'closed'
        this.#notify()
        resolve()
      })
    })
    this.exited = once(this.child, 'exit').then(async ([code, signal]) => {
      this.#state = 'exited'
      await Promise.race([closed, outputRead()])
      return { code, signal }
    })
  }

  get pid(): number {
    return this.child.pid!
  }

  get running(): boolean {
    return this.#state === 'running'
  }

  /** Waits for output that matches. Rejects with the output if the program exits without it. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.output)
      if (match) return match
      if (this.#state === 'closed') {
        throw new Error(`The program ended without printing ${pattern}:\n${this.output}`)
      }
      await new Promise<void>((resolve) => this.#changed.push(resolve))
    }
  }

  /** Sends a signal, unless the program has exited, and waits for the exit. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    this.child.kill(signal)
    return this.exited
  }

  /** Kills the program and its child processes, except those in their own process group. Waits for the exit. */
  async kill(): Promise<Exit> {
    if (this.running) process.kill(-this.pid, 'SIGKILL')
    return this.exited
  }

  #notify(): void {
    for (const resolve of this.#changed.splice(0)) resolve()
  }
}

// Node may learn of a process's exit before it has read the last output. By then all output can be read, and it has
// been read after the next event loop turn. 'close' is not emitted while another process has the same output open.
async function outputRead(): Promise<void> {
  await setImmediate()
  await setImmediate()
}
