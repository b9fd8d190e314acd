import { createFileRoute } from '@tanstack/react-router'

export const Route = createFileRoute('/api/disconnects')({
  server: { handlers: { GET: () => new Response(String(globalThis.disconnects ?? 0)) } },
})
