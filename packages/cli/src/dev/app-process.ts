import { type ChildProcess, fork } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import type { DescribedError } from './describe-error.ts'
import { type ChildMessage, type ChildOptions, isChildMessage } from './messages.ts'

/**
 * The state of the app's process. `starting` leads to `ready` or `failed`, and `ready` to `crashed`. A restart leads from each of
 * them to `starting`, and `stop()` to `stopped`.
 */
export type AppState =
  | { name: 'starting' }
  | { name: 'ready'; what: string; path: string }
  /**
   * The process exited before it listened (`failed`) or later (`crashed`). `how` is a sentence with its status or signal, `error` its
   * uncaught exception, `output` the end of its standard error.
   */
  | { name: 'failed' | 'crashed'; how: string; output: string; error?: DescribedError | undefined }
  | { name: 'stopped' }

/** The events of an {@link AppProcess}. */
interface AppProcessEvents {
  state: [state: AppState]
  message: [message: ChildMessage]
  /** A chunk of the process's standard error. */
  stderr: [chunk: Buffer]
}

// Milliseconds from SIGTERM to SIGKILL: longer than the time in which the child's requests may finish.
const KILL_DELAY = 1500
// How much of standard error is kept, in characters.
const OUTPUT_MAX = 32_000

const CHILD = fileURLToPath(new URL('./child.js', import.meta.url))

/** Runs the app in its own process, which can be restarted. */
export class AppProcess extends EventEmitter<AppProcessEvents> {
  readonly #options: Omit<ChildOptions, 'path' | 'start'>
  readonly #args: readonly string[]
  readonly #folder = mkdtempSync(join(tmpdir(), 'fcgi-bridge-dev-'))
  #state: AppState = { name: 'stopped' }
  #child: ChildProcess | undefined
  // Counts the starts. Events of an earlier process are ignored.
  #generation = 0

  constructor(options: Omit<ChildOptions, 'path' | 'start'>, args: readonly string[] = []) {
    super()
    this.#options = options
    this.#args = args
    // Each waiting request adds a listener.
    this.setMaxListeners(0)
  }

  /** The number of starts. */
  get starts(): number {
    return this.#generation
  }

  get state(): AppState {
    return this.#state
  }

  /** Starts the app, or restarts it. */
  async start(): Promise<void> {
    const generation = ++this.#generation
    this.#change({ name: 'starting' })
    await this.#end()
    if (generation === this.#generation) this.#run(generation)
  }

  /** Ends the process and removes its folder. */
  async stop(): Promise<void> {
    this.#generation++
    this.#change({ name: 'stopped' })
    await this.#end()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** Resolves with the state as soon as it is not `starting`. Rejects if `signal` aborts. */
  async settled(signal: AbortSignal): Promise<AppState> {
    while (this.#state.name === 'starting') await once(this, 'state', { signal })
    return this.#state
  }

  #run(generation: number): void {
    const path = join(this.#folder, `${generation}.sock`)
    const options: ChildOptions = { ...this.#options, path, start: generation }
    const child = fork(CHILD, [JSON.stringify(options), ...this.#args], {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      env: { ...(process.stderr.isTTY && !process.env.NO_COLOR && { FORCE_COLOR: '1' }), ...process.env },
    })
    this.#child = child
    let output = ''
    let error: DescribedError | undefined
    child.stderr!.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-OUTPUT_MAX)
      this.emit('stderr', chunk)
    })
    child.on('message', (message) => {
      if (!isChildMessage(message) || generation !== this.#generation) return
      if (message.fcgiBridge === 'listening') this.#change({ name: 'ready', what: message.what, path })
      else if (message.fcgiBridge === 'crash') error = message.error
      this.emit('message', message)
    })
    // 'close', not 'exit': all of the output has arrived by then.
    child.on('close', (code, signal) => {
      if (generation !== this.#generation) return
      const name = this.#state.name === 'ready' ? 'crashed' : 'failed'
      const how =
        signal === null
          ? `The app's process exited with status ${code}.`
          : `The app's process was killed by ${signal}.`
      this.#change({ name, how, output: stripVTControlCharacters(output).trim(), error })
    })
    child.on('error', (error) => {
      if (generation === this.#generation) this.#change({ name: 'failed', how: error.message, output: '' })
    })
  }

  async #end(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), KILL_DELAY)
    await exited
    clearTimeout(timer)
  }

  #change(state: AppState): void {
    this.#state = state
    this.emit('state', state)
  }
}
