import { Duplex, Readable, Writable } from 'node:stream'

/** What each Writable keeps; the class has no documented name, and is `Writable.WritableState` in all of Node. */
interface WritableState {
  /** Where a stream's own `_write` calls back. */
  readonly onwrite: (error?: Error | null) => void
}

const { WritableState } = Writable as unknown as {
  WritableState: new (options: object | undefined, stream: object, isDuplex: boolean) => WritableState
}

// The stream that the states refer to.
const NOBODY = new Duplex()

// What Node's constructor does, but for the stream that the state of the writable side refers to.
function construct(this: Duplex & { _writableState: WritableState }, options?: object): void {
  Readable.call(this, options)
  this._writableState = new WritableState(options, NOBODY, true)
  this.allowHalfOpen = true
}
construct.prototype = Duplex.prototype

/**
 * A Duplex of which there is one for each request. Node 24 and 26 let the state of its writable side refer to it by a
 * function among V8's old objects, which keeps it, and all that it refers to, until the next major collection: a quarter of
 * what a request costs. Here the state refers to nobody until something is written; `_write` has to call {@link onwriteOf}
 * instead of what it is given.
 */
export const ShortLivedDuplex: typeof Duplex = construct as unknown as typeof Duplex

/** What to call when a `ShortLivedDuplex` has written. */
export function onwriteOf(stream: Duplex): (error?: Error | null) => void {
  return new WritableState(undefined, stream, true).onwrite
}
