import { Params, type ParamsLimits } from '../cgi/params.ts'
import { copyBytes } from './piece-memory.ts'

const EMPTY = Buffer.alloc(0)

/** Collects the PARAMS of a request. A single piece, the usual case, stays a view of its chunk. Several pieces are copied into a growing buffer. */
export class GatheredParams {
  #chunk: Buffer = EMPTY
  #start = 0
  #end = 0
  #owned = false

  /** Bytes that have arrived. */
  get length(): number {
    return this.#end - this.#start
  }

  /** Appends `chunk[start, end)`. */
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

  /** Copies the bytes out of their chunk, whose memory is about to be reused. */
  keep(): void {
    if (!this.#owned) this.#move(this.length)
  }

  #move(size: number): void {
    const grown = Buffer.allocUnsafeSlow(size)
    this.#end = this.#chunk.copy(grown, 0, this.#start, this.#end)
    this.#start = 0
    this.#chunk = grown
    this.#owned = true
  }

  /** Decodes the bytes and forgets them. Throws the errors of {@link Params}. */
  decode(limits: ParamsLimits): Params {
    const block = this.#chunk
    this.#chunk = EMPTY
    return new Params(block, this.#start, this.#end, limits)
  }
}
