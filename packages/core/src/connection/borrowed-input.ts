import type { InputQueue } from '../exchange/input.ts'
import type { ServerExchange } from '../exchange/server-exchange.ts'

/** The PARAMS and the input queues that still refer to the memory of the current chunk. */
export class BorrowedInput {
  readonly #params: ServerExchange[] = []
  #inputs: InputQueue[] | undefined

  /** Adds a request that received PARAMS in the current chunk. */
  addParams(exchange: ServerExchange): void {
    this.#params.push(exchange)
  }

  /** Adds an input that received bytes in the current chunk. */
  addInput(input: InputQueue): void {
    // An array that grows from empty takes six times as much memory.
    if (this.#inputs === undefined) this.#inputs = [input]
    else if (this.#inputs.at(-1) !== input) this.#inputs.push(input)
  }

  /** Copies everything out of the chunk, whose memory is about to be reused. Notifies the readers of the inputs. */
  keep(): void {
    while (this.#params.length > 0) this.#params.pop()!.keepParams()
    const inputs = this.#inputs
    if (inputs === undefined) return
    for (const input of inputs) input.keep()
    this.#inputs = undefined
  }
}
