// The adapter's tests once more, while a monitoring tool looks: what the client and the app get is the same.

import { subscribe } from 'node:diagnostics_channel'

subscribe('http.server.request.start', () => {})

await import('./garbage.test.ts')
await import('./handler.test.ts')
await import('./listeners.test.ts')
await import('./messages/prototypes.test.ts')
