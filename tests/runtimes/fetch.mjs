import { serve } from '@fcgi-bridge/fetch-adapter'

let left = 0

await serve(
  async (request, { remoteAddress }) => {
    const { pathname } = new URL(request.url)
    if (pathname === '/json') return Response.json(await request.json())
    if (pathname === '/large') return new Response(new Uint8Array(3_000_000).fill(97))
    if (pathname === '/left') return new Response(String(left))
    if (pathname === '/fail') throw new Error('secret')
    if (pathname === '/cookies') {
      const headers = new Headers({ 'set-cookie': 'a=1' })
      headers.append('set-cookie', 'b=2')
      return new Response(request.headers.get('cookie'), { headers })
    }
    if (pathname === '/events') return new Response(events(request.signal))
    return new Response(`${request.method} ${request.url} from ${remoteAddress}`)
  },
  { onError: () => {} },
)

function events(signal) {
  const encoder = new TextEncoder()
  signal.addEventListener('abort', () => left++)
  return new ReadableStream({
    async pull(controller) {
      controller.enqueue(encoder.encode('data: event\n\n'))
      await new Promise((resolve) => setTimeout(resolve, 20))
    },
  })
}
