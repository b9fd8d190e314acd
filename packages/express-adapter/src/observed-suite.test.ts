// Runs the adapter's tests again while a monitoring tool observes requests. Clients and apps must not see a difference.

import { subscribe } from 'node:diagnostics_channel'

subscribe('http.server.request.start', () => {})

await import('./garbage.test.ts')
await import('./handler.test.ts')
await import('./listeners.test.ts')
await import('./messages/prototypes.test.ts')
