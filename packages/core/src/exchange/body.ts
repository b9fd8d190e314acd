import type { Input } from './input.ts'

/**
 * Returns an input (a request body, or a filter's file) as a ReadableStream. The stream pulls, so an app that does not read applies
 * back-pressure to the socket. An incomplete body makes the stream fail. It never ends cleanly in that case.
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
    // Do not read before the app does: the first read marks the body as wanted.
    { highWaterMark: 0 },
  )
}

function deliver(input: Input, controller: ReadableStreamDefaultController<Uint8Array>): boolean {
  const chunk = input.read()
  if (chunk !== null) {
    // Copy a small chunk, because it shares its ArrayBuffer with others (Node's pool). An app that transfers the buffer, to a worker
    // or a byte stream, would detach the others, too.
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
