import { Duplex, Readable, Writable } from 'node:stream'

/** The state object of a Writable. Its class is undocumented, and is `Writable.WritableState` in Node 20 to 26. */
interface WritableState {
  /** The callback that Node passes to `_write`. */
  readonly onwrite: (error?: Error | null) => void
}

const { WritableState } = Writable as unknown as {
  WritableState: new (options: object | undefined, stream: object, isDuplex: boolean) => WritableState
}

// The state of each writable side refers to this stream.
const PLACEHOLDER = new Duplex()

// Does what Node's constructor does, except that the state of the writable side refers to another stream.
function construct(this: Duplex & { _writableState: WritableState }, options?: object): void {
  Readable.call(this, options)
  this._writableState = new WritableState(options, PLACEHOLDER, true)
  this.allowHalfOpen = true
}
construct.prototype = Duplex.prototype

/**
 * A Duplex for objects that live as long as one request. In Node 24 and 26 the state of a Duplex's writable side has a closure that V8
 * allocates in the old generation. The closure keeps the stream, and everything that it refers to, until the next major collection, which
 * was a quarter of the cost of a request. Here the closure refers to a placeholder. `_write` must therefore call {@link onwriteOf} in place
 * of its callback argument.
 */
export const ShortLivedDuplex: typeof Duplex = construct as unknown as typeof Duplex

/** The function that `_write` of a `ShortLivedDuplex` must call when it has written. */
export function onwriteOf(stream: Duplex): (error?: Error | null) => void {
  return new WritableState(undefined, stream, true).onwrite
}
