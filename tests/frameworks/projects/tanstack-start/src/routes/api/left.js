import { createFileRoute } from '@tanstack/react-router'

export const Route = createFileRoute('/api/left')({
  server: { handlers: { GET: () => new Response(String(globalThis.left ?? 0)) } },
})
