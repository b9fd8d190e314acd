import type { Input } from './input.ts'

/**
 * An input (a request body, or a filter's file) as a ReadableStream. It is pulled, so that an app that does not read stops the socket.
 * It errors if the body is incomplete, and never ends cleanly then.
 */
export function createBody(input: Input): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (deliver(input, controller)) return undefined
        return new Promise<void>((resolve) => {
          // Create the closure separately: V8 pretenures closures assigned straight to a property, and each one would keep its
          // request alive until the next major GC.
          const onReadable = (): void => {
            if (!deliver(input, controller)) return
            input.onReadable = undefined
            resolve()
          }
          input.onReadable = onReadable
        })
      },
      cancel() {
        input.onReadable = undefined
        input.discard()
      },
    },
    // Nothing is read before the app reads: its first read shows that it wants the body.
    { highWaterMark: 0 },
  )
}

function deliver(input: Input, controller: ReadableStreamDefaultController<Uint8Array>): boolean {
  const chunk = input.read()
  if (chunk !== null) {
    // A small chunk shares its memory with others (Node's pool) and is copied: an app that transfers its buffer, to a worker or a
    // byte stream, would take the others' bytes, too.
    const { buffer } = chunk
    controller.enqueue(new Uint8Array(chunk.length === buffer.byteLength ? (buffer as ArrayBuffer) : chunk))
    if (input.ended) controller.close()
    return true
  }
  if (input.error !== undefined) controller.error(input.error)
  else if (input.ended) controller.close()
  else return false
  return true
}
