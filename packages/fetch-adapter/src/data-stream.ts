import type { Input } from '@fcgi-bridge/core'

/** A filter's file (FCGI_DATA, section 6.4) as a stream that is pulled, and errors where the file can not be had whole. */
export function createDataStream(input: Input): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      pull: (controller) =>
        new Promise<void>((resolve) => {
          const deliver = (): void => {
            const chunk = input.read()
            if (chunk !== null) controller.enqueue(new Uint8Array(chunk))
            else if (input.error !== undefined) controller.error(input.error)
            else if (input.ended) controller.close()
            else return
            input.onReadable = undefined
            resolve()
          }
          input.onReadable = deliver
          deliver()
        }),
      cancel: () => {
        input.onReadable = undefined
        input.discard()
      },
    },
    { highWaterMark: 0 },
  )
}
