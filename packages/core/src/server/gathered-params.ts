const EMPTY = Buffer.alloc(0)

/** The PARAMS of one request while they come in: one view as long as they are one piece, which is nearly always; then a buffer that grows. */
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
    if (!this.#owned || this.#end + more > this.#chunk.length) {
      const grown = Buffer.allocUnsafeSlow(2 * (length + more))
      this.#chunk.copy(grown, 0, this.#start, this.#end)
      this.#chunk = grown
      this.#start = 0
      this.#end = length
      this.#owned = true
    }
    this.#end += chunk.copy(this.#chunk, this.#end, start, end)
  }

  /** Gives them to `read`, and lets go of them. */
  take<T>(read: (block: Buffer, start: number, end: number) => T): T {
    const block = this.#chunk
    this.#chunk = EMPTY
    return read(block, this.#start, this.#end)
  }
}
