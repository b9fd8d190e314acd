import type { Input } from './input.ts'

/**
 * A request body as a standard stream: pulled, so that an app that does not read stops the socket. It errors
 * where the body can not be had whole, and never ends cleanly then.
 */
export function createBody(input: Input): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (deliver(input, controller)) return undefined
        return new Promise<void>((resolve) => {
          input.onReadable = () => {
            if (!deliver(input, controller)) return
            input.onReadable = undefined
            resolve()
          }
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
    // A plain Uint8Array, as the standard says, over the same bytes.
    controller.enqueue(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    if (input.ended) controller.close()
    return true
  }
  if (input.error !== undefined) controller.error(input.error)
  else if (input.ended) controller.close()
  else return false
  return true
}
