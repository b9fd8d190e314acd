// Runs the adapter's tests again while a monitoring tool observes requests. Clients must not see a difference.

import { subscribe } from 'node:diagnostics_channel'

subscribe('http.server.request.start', () => {})

await import('../authorize.test.ts')
await import('../request/context.test.ts')
await import('../h3.test.ts')
await import('../hono.test.ts')
await import('../request/request.test.ts')
await import('../response/send-node-stream.test.ts')
await import('../response/send-response.test.ts')
await import('../response/send-stream.test.ts')
