import { Writable } from 'node:stream'

/** FCGI_STDERR as a Writable: `console` can write to it, and a slow front server slows its writers. It never fails. */
export class StderrStream extends Writable {
  readonly #send: (content: Uint8Array) => boolean
  #waiting: (() => void) | undefined
  #flushing = false

  /** `send` gives false when the socket asks to wait: `drained` is called when it takes bytes again. */
  constructor(send: (content: Uint8Array) => boolean) {
    super({ decodeStrings: true })
    this.#send = send
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    if (this.#send(chunk) || this.#flushing) callback()
    else this.#waiting = callback
  }

  drained(): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.()
  }

  /** Hands on all that waits, and from now on everything at once: the end of the request is next. */
  flush(): void {
    this.#flushing = true
    this.drained()
  }
}
