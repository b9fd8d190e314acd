// The adapter's tests once more, while a monitoring tool looks: what the client gets is the same.

import { subscribe } from 'node:diagnostics_channel'

subscribe('http.server.request.start', () => {})

await import('../authorize.test.ts')
await import('../context.test.ts')
await import('../h3.test.ts')
await import('../hono.test.ts')
await import('../request.test.ts')
await import('../send-node-stream.test.ts')
await import('../send-response.test.ts')
await import('../send-stream.test.ts')
