import type { AddressInfo } from 'node:net'
import { painter, printJson } from '../terminal.ts'

/** Prints an address that the app is served on. `what` names the app: `app.js, an Express app,`. */
export function announce(what: string, address: AddressInfo | string, json: boolean | undefined): void {
  if (json) {
    printJson({ listening: typeof address === 'string' ? { path: address } : hostAndPort(address) })
    return
  }
  const where = typeof address === 'string' ? address : formatTcpAddress(address)
  process.stderr.write(`Serving ${what} over FastCGI on ${painter(process.stderr)('bold', where)}\n`)
}

function hostAndPort({ address, port }: AddressInfo): { host: string; port: number } {
  return { host: address, port }
}

/** Formats a TCP address for people: `127.0.0.1:9000`, `[::1]:9000`. */
export function formatTcpAddress({ address, port, family }: AddressInfo): string {
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`
}
