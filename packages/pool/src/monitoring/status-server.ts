import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import type { FastCgiServer, ListenOptions } from '@fcgi-bridge/core'
import { bindAtPath, listenError } from '@fcgi-bridge/core/manager'
import type { Pool } from '../master/pool.ts'
import { whenClosed } from '../master/when-closed.ts'
import { type MonitoredProgram, type Page, Pages } from './pages.ts'

/** Where the pages for monitoring are served. */
interface StatusOptions {
  /** Where to serve them over FastCGI: the address in a front server's `fastcgi_pass`, for example. */
  fastcgi?: ListenOptions | undefined
  /** Where to serve them over HTTP, to a Prometheus server for example. */
  http?: StatusAddress | undefined
}

/** An address for HTTP. */
export type StatusAddress = { port: number; host?: string } | { path: string; mode?: number }

const DEFAULT_HOST = '127.0.0.1'
const DEFAULT_MODE = 0o660

/**
 * Serves the pages of a pool until it is closed, from this process, so that they are available while all workers are busy. Returns the addresses.
 * Rejects with an Error that says what to do if it cannot listen.
 */
export async function serveStatus(
  pool: Pool,
  program: MonitoredProgram,
  { fastcgi, http }: StatusOptions,
): Promise<(AddressInfo | string)[]> {
  const pages = new Pages(pool, program, ownVersion())
  const addresses: (AddressInfo | string)[] = []
  if (fastcgi !== undefined) addresses.push(await serveFastCgi(pool, pages, fastcgi))
  if (http !== undefined) addresses.push(await serveHttp(pool, pages, http))
  return addresses
}

async function serveFastCgi(pool: Pool, pages: Pages, listen: ListenOptions): Promise<AddressInfo | string> {
  // Loaded on use: a pool without a status page does not need a server.
  const { createServer } = await import('@fcgi-bridge/core')
  const server: FastCgiServer = createServer((exchange) => {
    const { status, type, body } = pageFor(pages, exchange.target, exchange.param('HTTP_ACCEPT'))
    exchange.writeHead(status, headersOf(type, body))
    exchange.end(exchange.method === 'HEAD' ? undefined : body)
  })
  await server.listen(listen)
  whenClosed(pool, () => void server.close())
  return server.address()!
}

async function serveHttp(pool: Pool, pages: Pages, address: StatusAddress): Promise<AddressInfo | string> {
  // Loaded on use. An import would also load what the module exports lazily, such as WebSocket, which takes 15 MiB on Node 26.
  const { createServer } = process.getBuiltinModule('node:http')
  const server = createServer(({ url = '/', headers }, response) => {
    const { status, type, body } = pageFor(pages, url, headers.accept)
    response.writeHead(status, headersOf(type, body)).end(body)
  })
  const listening = (options: object): Promise<unknown> => once(server.listen(options), 'listening')
  if ('path' in address) {
    await bindAtPath(address.path, address.mode ?? DEFAULT_MODE, () => listening({ path: address.path }))
  } else {
    const { port, host = DEFAULT_HOST } = address
    await listening({ port, host }).catch((error: unknown) => {
      throw listenError(error, `${host}:${port}`)
    })
  }
  whenClosed(pool, () => {
    server.close()
    server.closeAllConnections()
  })
  return server.address()!
}

// An error in a page must not end the master.
function pageFor(pages: Pages, target: string, accept: string | undefined): Page {
  try {
    return pages.pageFor(target, accept)
  } catch (error) {
    return { status: 500, type: 'text/plain; charset=utf-8', body: `${(error as Error).message}\n` }
  }
}

function headersOf(type: string, body: string): string[] {
  const length = String(Buffer.byteLength(body))
  return ['Content-Type', type, 'Content-Length', length, 'Cache-Control', 'no-store']
}

function ownVersion(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version
}
