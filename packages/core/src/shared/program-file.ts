import { type Stats, statSync } from 'node:fs'

// Milliseconds between two checks. A check costs a few microseconds.
const INTERVAL = 500

/** The program that a front server runs. mod_fcgid keeps the processes of a program that was edited in place, so they must notice it. */
export class ProgramFile {
  readonly #path: string
  readonly #atStart: Stats | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(path: string) {
    this.#path = path
    this.#atStart = this.#stat()
  }

  /** Whether the file differs from the one that this process runs. A file that is missing or unreadable has not changed. */
  hasChanged(): boolean {
    return this.#differs(this.#stat(), this.#atStart)
  }

  /**
   * Calls `onChange` when the file has changed, and did not change again since the last check: a file that is being uploaded is not
   * complete. Watching does not keep the process alive.
   */
  watch(onChange: () => void): void {
    let before = this.#atStart
    const check = (): void => {
      const now = this.#stat()
      if (this.#differs(now, this.#atStart) && !this.#differs(now, before)) {
        this.unwatch()
        onChange()
      }
      before = now
    }
    // Not fs.watchFile(), which starts four threads.
    this.#timer = setInterval(check, INTERVAL).unref()
  }

  /** Stops watching. */
  unwatch(): void {
    clearInterval(this.#timer)
  }

  #stat(): Stats | undefined {
    try {
      return statSync(this.#path, { throwIfNoEntry: false })
    } catch {
      return undefined
    }
  }

  #differs(one: Stats | undefined, other: Stats | undefined): boolean {
    if (one === undefined || other === undefined) return false
    return one.mtimeMs !== other.mtimeMs || one.size !== other.size || one.ino !== other.ino
  }
}
