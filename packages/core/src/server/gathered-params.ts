import { copyBytes } from './piece-memory.ts'

const EMPTY = Buffer.alloc(0)

/** The PARAMS of one request while they arrive: a view while they are one piece, which they nearly always are; then a buffer that grows. */
export class GatheredParams {
  #chunk: Buffer = EMPTY
  #start = 0
  #end = 0
  #owned = false

  /** Bytes so far. */
  get length(): number {
    return this.#end - this.#start
  }

  /** Takes `chunk[start, end)`. */
  push(chunk: Buffer, start: number, end: number): void {
    const { length } = this
    if (length === 0) {
      this.#chunk = chunk
      this.#start = start
      this.#end = end
      return
    }
    const more = end - start
    if (!this.#owned || this.#end + more > this.#chunk.length) this.#move(2 * (length + more))
    this.#end = copyBytes(chunk, start, end, this.#chunk, this.#end)
  }

  /** What they were views of is about to be used again. */
  keep(): void {
    if (!this.#owned) this.#move(this.length)
  }

  // To memory of their own.
  #move(size: number): void {
    const grown = Buffer.allocUnsafeSlow(size)
    this.#end = this.#chunk.copy(grown, 0, this.#start, this.#end)
    this.#start = 0
    this.#chunk = grown
    this.#owned = true
  }

  /** Gives them to `read`, and lets go of them. */
  take<T>(read: (block: Buffer, start: number, end: number) => T): T {
    const block = this.#chunk
    this.#chunk = EMPTY
    return read(block, this.#start, this.#end)
  }
}
