import { createFileRoute } from '@tanstack/react-router'

export const Route = createFileRoute('/api/events')({
  server: {
    handlers: {
      GET: ({ request }) => {
        const encoder = new TextEncoder()
        const stream = new ReadableStream({
          start(controller) {
            controller.enqueue(encoder.encode('data: first\n\n'))
            const timer = setInterval(() => controller.enqueue(encoder.encode('data: next\n\n')), 50)
            request.signal.addEventListener('abort', () => {
              clearInterval(timer)
              globalThis.disconnects = (globalThis.disconnects ?? 0) + 1
            })
          },
        })
        return new Response(stream, { headers: { 'content-type': 'text/event-stream' } })
      },
    },
  },
})
