/** A promise and its resolve function. */
export interface Deferred<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
}

// Promise.withResolvers exists since Node 22.
export function deferred<T = void>(): Deferred<T> {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
