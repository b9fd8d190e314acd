import type { AddressInfo } from 'node:net'
import { createServer, type FastCgiServer, type ServerOptions } from '@fcgi-bridge/core'
import { afterEach } from 'vitest'
import { type FrameworkApp, type RequestListener, toHandler } from '../index.ts'
import type { Client } from './client.ts'
import { createFastCgiClient, type FrontOptions } from './fastcgi-client.ts'

/** An app that is served over FastCGI until its test ends, and a client of it. */
export interface Served {
  readonly server: FastCgiServer
  readonly port: number
  readonly client: Client
  /** The errors that the server's `onError` got. */
  readonly errors: unknown[]
  /** The text that arrived as FCGI_STDERR. */
  stderr(): string
}

const cleanUps: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp()
})

/** Serves `app` on a free port. */
export async function serveForTest(
  app: RequestListener | FrameworkApp,
  options: ServerOptions & { front?: FrontOptions } = {},
): Promise<Served> {
  const { front, ...serverOptions } = options
  const errors: unknown[] = []
  let stderr = ''
  const server = createServer(toHandler(app), {
    drainTimeout: 100,
    onError: (error) => errors.push(error),
    ...serverOptions,
  })
  await server.listen({ port: 0, host: '127.0.0.1' })
  const { port } = server.address() as AddressInfo
  const client = createFastCgiClient(port, {
    ...front,
    onStderr: (text) => {
      stderr += text
    },
  })
  cleanUps.push(async () => {
    await client.close()
    await server.close()
  })
  return { server, port, client, errors, stderr: () => stderr }
}
