/**
 * Where a FastCGI application listens: `{ path }` or `{ host, port }`, or as text `'unix:/run/app.sock'`,
 * `'/run/app.sock'`, `'127.0.0.1:9000'`, `'[::1]:9000'`. Without `host`, 127.0.0.1.
 */
export type FastCgiAddress =
  | string
  | { readonly path: string }
  | { readonly host?: string; readonly port: number }

/** A {@link FastCgiAddress} in the form that `net.connect` takes. */
export type SocketAddress = { readonly path: string } | { readonly host: string; readonly port: number }

/** Reads an address in any of its forms. Throws TypeError for what is none. */
export function parseAddress(address: FastCgiAddress): SocketAddress {
  if (typeof address === 'string') return parseText(address)
  if (typeof address === 'object' && address !== null) {
    if ('path' in address && typeof address.path === 'string' && address.path !== '') {
      return { path: address.path }
    }
    if ('port' in address && isPort(address.port)) {
      return { host: address.host ?? '127.0.0.1', port: address.port }
    }
  }
  throw notAnAddress(JSON.stringify(address))
}

/** The address as a person would write it, for messages. */
export function formatAddress(address: SocketAddress): string {
  if ('path' in address) return address.path
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
}

function parseText(text: string): SocketAddress {
  const path = text.startsWith('unix:')
    ? text.slice(5).replace(/^\/\//, '')
    : text.startsWith('/')
      ? text
      : ''
  if (path !== '') return { path }
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]/]+)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  if (host === undefined || !isPort(Number(port))) throw notAnAddress(JSON.stringify(text))
  return { host, port: Number(port) }
}

function isPort(port: unknown): port is number {
  return Number.isInteger(port) && (port as number) > 0 && (port as number) < 65536
}

function notAnAddress(what: string): TypeError {
  return new TypeError(
    `${what} is no FastCGI address. Give { path }, { host, port }, 'unix:/run/app.sock' or '127.0.0.1:9000'.`,
  )
}
