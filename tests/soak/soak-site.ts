import { appendFileSync, readdirSync, readFileSync, watch } from 'node:fs'
import { basename, join } from 'node:path'
import { Site } from '../support/fronts/site.ts'
import { INTERVAL_VARIABLE, SAMPLES_VARIABLE } from './variables.js'

const SAMPLER = new URL('sampler.js', import.meta.url)

/** The resources of a process at one time: memory in bytes, and counts. */
export interface Sample {
  /** Milliseconds since 1970. */
  time: number
  rss: number
  /** Heap in use after a garbage collection. */
  heap: number
  /** Active resources of the event loop: sockets, timers, file reads. */
  handles: number
  /** Open file descriptors. */
  descriptors: number
}

/** A process of an app, from its start until it exits. */
export interface Sampled {
  pid: number
  /** The app, and how the front server reaches it. */
  name: string
  samples: Sample[]
}

/** A site whose app processes write a sample of their resources at intervals. */
export class SoakSite extends Site {
  readonly #folder = this.makeFolder('samples')
  readonly #interval: number
  readonly #programs = new Map<string, string>()

  /** @param interval Time between two samples, in milliseconds. */
  constructor(interval: number) {
    super()
    this.#interval = interval
  }

  override appEnvironment(mount?: string): Record<string, string> {
    return {
      ...super.appEnvironment(mount),
      NODE_OPTIONS: `--import=${SAMPLER}`,
      [SAMPLES_VARIABLE]: this.#folder,
      [INTERVAL_VARIABLE]: String(this.#interval),
    }
  }

  // mod_fcgid does not pass NODE_OPTIONS to its processes.
  override writeProgram(at: string, name: string, mount?: string): string {
    const path = super.writeProgram(at, name, mount)
    appendFileSync(path, `import(${JSON.stringify(SAMPLER)})\n`)
    this.#programs.set(path, name)
    return path
  }

  /** All app processes of this site, in the order in which they started. */
  sampled(): Sampled[] {
    return readdirSync(this.#folder)
      .map((file) => this.#read(file))
      .filter(({ samples }) => samples.length > 0)
      .sort((a, b) => a.samples[0]!.time - b.samples[0]!.time)
  }

  /** Waits until `isMet` returns true for {@link sampled}. It is called at each sample. */
  until(isMet: (processes: Sampled[]) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (!isMet(this.sampled())) return
        watcher.close()
        resolve()
      }
      const watcher = watch(this.#folder, look).on('error', reject)
      look()
    })
  }

  #read(file: string): Sampled {
    // The last line is empty or incomplete, so drop it. If there is only one line, nothing remains.
    const lines = readFileSync(join(this.#folder, file), 'utf8').split('\n').slice(0, -1)
    const [{ program, listen } = { program: '', listen: '' }, ...samples] = lines.map((line) =>
      JSON.parse(line),
    )
    const spawned = this.#programs.get(program)
    const name =
      spawned === undefined
        ? `${basename(program, '.js')}, ${listen.startsWith('/') ? 'Unix socket' : 'TCP'}`
        : `${spawned}, mod_fcgid`
    return { pid: Number.parseInt(file, 10), name, samples }
  }
}
