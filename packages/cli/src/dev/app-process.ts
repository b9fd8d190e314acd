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
 * Where the app is in its life. `starting` leads to `ready` or `failed`, `ready` to `crashed`, each of them to `starting` when it is
 * started again, and all to `stopped`.
 */
export type AppState =
  | { name: 'starting' }
  | { name: 'ready'; what: string; path: string }
  /** It ended before it listened (`failed`), or afterwards: of `error`, if it said so. `output` is what it had printed as errors. */
  | { name: 'failed' | 'crashed'; how: string; output: string; error?: DescribedError | undefined }
  | { name: 'stopped' }

export interface AppProcessEvents {
  state: [state: AppState]
  message: [message: ChildMessage]
  /** What it printed as errors. */
  stderr: [chunk: Buffer]
}

// What it is given to end by itself, in milliseconds: a bit more than its requests are.
const ENDING = 1500
// Of what it printed, in characters.
const OUTPUT_MAX = 32_000

const CHILD = fileURLToPath(new URL('./child.js', import.meta.url))

/** The app in a process of its own, which can be started again and again. */
export class AppProcess extends EventEmitter<AppProcessEvents> {
  readonly #options: Omit<ChildOptions, 'path' | 'start'>
  readonly #args: readonly string[]
  readonly #folder = mkdtempSync(join(tmpdir(), 'fcgi-bridge-dev-'))
  #state: AppState = { name: 'stopped' }
  #child: ChildProcess | undefined
  // Counts the starts: what belongs to an earlier one is no news.
  #generation = 0

  constructor(options: Omit<ChildOptions, 'path' | 'start'>, args: readonly string[] = []) {
    super()
    this.#options = options
    this.#args = args
    // Each request that waits is a listener.
    this.setMaxListeners(0)
  }

  /** How often it was started. */
  get starts(): number {
    return this.#generation
  }

  get state(): AppState {
    return this.#state
  }

  /** Starts it, or ends it and starts it again. */
  async start(): Promise<void> {
    const generation = ++this.#generation
    this.#change({ name: 'starting' })
    await this.#end()
    if (generation === this.#generation) this.#run(generation)
  }

  /** Ends it for good. */
  async stop(): Promise<void> {
    this.#generation++
    this.#change({ name: 'stopped' })
    await this.#end()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** Settles with the state when it is not `starting`. */
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
    // 'close', not 'exit': all that it printed is there.
    child.on('close', (code, signal) => {
      if (generation !== this.#generation) return
      const name = this.#state.name === 'ready' ? 'crashed' : 'failed'
      const how = signal === null ? `It ended with status ${code}.` : `It was ended by ${signal}.`
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
    const timer = setTimeout(() => child.kill('SIGKILL'), ENDING)
    await exited
    clearTimeout(timer)
  }

  #change(state: AppState): void {
    this.#state = state
    this.emit('state', state)
  }
}
