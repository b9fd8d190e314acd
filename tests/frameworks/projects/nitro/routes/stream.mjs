import { defineHandler } from 'nitro/h3'

export default defineHandler(() => {
  let timer
  const stream = new ReadableStream({
    start(controller) {
      controller.enqueue('data: first\n\n')
      timer = setInterval(() => controller.enqueue('data: next\n\n'), 50)
    },
    cancel() {
      clearInterval(timer)
      globalThis.disconnects = (globalThis.disconnects ?? 0) + 1
    },
  })
  return new Response(stream.pipeThrough(new TextEncoderStream()), {
    headers: { 'content-type': 'text/event-stream' },
  })
})
