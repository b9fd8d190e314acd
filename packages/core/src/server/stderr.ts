import { Writable } from 'node:stream'

/** FCGI_STDERR as a Writable: `console` can write to it, and a slow front server slows its writers. */
export class StderrStream extends Writable {
  readonly #send: (content: Uint8Array, callback: () => void) => void

  constructor(send: (content: Uint8Array, callback: () => void) => void) {
    super({ decodeStrings: true })
    this.#send = send
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.#send(chunk, callback)
  }
}
