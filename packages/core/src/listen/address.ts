import type { ListenOptions } from './listen-options.ts'

/**
 * Parses an address in one of these forms: `9000`, `127.0.0.1:9000`, `[::1]:9000`, `/run/app.sock`, `unix:/run/app.sock`. Throws a
 * RangeError for anything else.
 */
export function parseAddress(text: string): ListenOptions {
  const address = text.trim()
  const path = address.startsWith('unix:') ? address.slice('unix:'.length) : address
  if (path.startsWith('/') || path.startsWith('./')) return { path }
  const match = /^(?:(?:\[([0-9a-f:.]+)\]|([^\s:[\]*]+)|\*)?:)?(\d{1,5})$/i.exec(address)
  const port = Number(match?.[3])
  if (match === null || port > 65535) {
    throw new RangeError(
      `'${text}' is not an address to listen on. Write 9000, 127.0.0.1:9000, [::1]:9000 or /run/app.sock.`,
    )
  }
  const host = match[1] ?? match[2] ?? (address.startsWith('*') ? '::' : undefined)
  return host === undefined ? { port } : { port, host }
}
