import { state } from '../../lib/state.js'

export function GET() {
  let timer
  const stream = new ReadableStream({
    start(controller) {
      controller.enqueue('data: first\n\n')
      timer = setInterval(() => controller.enqueue('data: next\n\n'), 50)
    },
    cancel() {
      clearInterval(timer)
      state.disconnects++
    },
  })
  return new Response(stream.pipeThrough(new TextEncoderStream()), {
    headers: { 'content-type': 'text/event-stream' },
  })
}
