export function GET() {
  const encoder = new TextEncoder()
  let timer
  const stream = new ReadableStream({
    start(controller) {
      controller.enqueue(encoder.encode('data: first\n\n'))
      timer = setInterval(() => controller.enqueue(encoder.encode('data: next\n\n')), 50)
    },
    cancel() {
      clearInterval(timer)
      globalThis.disconnects = (globalThis.disconnects ?? 0) + 1
    },
  })
  return new Response(stream, { headers: { 'content-type': 'text/event-stream' } })
}
