import type { Input } from './input.ts'

/**
 * An input (a request's body, a filter's file) as a standard stream: pulled, so that an app that does not read stops the socket. It errors
 * where the body can not be had whole, and never ends cleanly then.
 */
export function createBody(input: Input): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (deliver(input, controller)) return undefined
        return new Promise<void>((resolve) => {
          // Apart from the assignment: a function that is written there goes among V8's old objects, with all it refers to.
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
    // Nothing is read ahead of the app: its first read is what says that the body is wanted.
    { highWaterMark: 0 },
  )
}

function deliver(input: Input, controller: ReadableStreamDefaultController<Uint8Array>): boolean {
  const chunk = input.read()
  if (chunk !== null) {
    // Small chunks have their memory from Node's pool. A copy: whoever transfers a chunk's buffer, as streams of bytes and
    // workers do, would take others' bytes with it.
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
