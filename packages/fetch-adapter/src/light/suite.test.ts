// Runs every test of requests and responses again, with the global objects replaced.

import { vi } from 'vitest'

vi.mock('../handler.ts', async (importOriginal) => {
  const original = await importOriginal<typeof import('../handler.ts')>()
  const toHandler: typeof original.toHandler = (fetch) =>
    original.toHandler(fetch, { overrideGlobalObjects: true })
  return { ...original, toHandler }
})

await import('../response/content-length.test.ts')
await import('../request/context.test.ts')
await import('../h3.test.ts')
await import('../hono.test.ts')
await import('../leak.test.ts')
await import('../request/request.test.ts')
await import('../response/send-node-stream.test.ts')
await import('../response/send-response.test.ts')
await import('../response/send-stream.test.ts')
await import('../yoga.test.ts')
