import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { required } from './programs.ts'

export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

/** A process that a test started: what it printed is kept, its lines can be awaited, its end is known. */
export class Program {
  readonly child: ChildProcess
  /** Settles when the process has ended, and what it printed has been read. */
  readonly exited: Promise<Exit>
  /** What it printed on stdout and stderr so far. */
  output = ''
  #state: 'running' | 'exited' | 'closed' = 'running'
  #changed: (() => void)[] = []

  /**
   * Starts a program in a session of its own, so that it and what it starts can be told from everything else.
   * It ends when the test's process ends, however that ends.
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
        this.#tell()
      })
    }
    const closed = new Promise<void>((resolve) => {
      this.child.once('close', () => {
        this.#state = 'closed'
        this.#tell()
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

  /** Waits for output that matches. Rejects, with what was printed, when the program ends without it. */
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

  /** Sends a signal, unless it has ended already, and waits for the end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    this.child.kill(signal)
    return this.exited
  }

  /** Kills it, and what it started that is not in a process group of its own, and waits for its end. */
  async kill(): Promise<Exit> {
    if (this.running) process.kill(-this.pid, 'SIGKILL')
    return this.exited
  }

  #tell(): void {
    for (const resolve of this.#changed.splice(0)) resolve()
  }
}

// Node may learn of the end of a process before it has read what that wrote last. All of it is there to be read by then, and is by
// the end of the event loop's next turn. 'close' does not come as long as another process has the same output.
async function outputRead(): Promise<void> {
  await setImmediate()
  await setImmediate()
}
