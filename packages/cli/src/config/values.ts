import { InvalidArgumentError } from 'commander'
import type { HostAndPort } from './site.ts'

// What the flags of `fcgi-bridge config` take. Their values are written into configs as they are, so each takes only what
// has no meaning of its own in any of them.

/** `8080`, `127.0.0.1:8080`, `[::1]:8080`. */
export function parseListen(text: string): HostAndPort {
  const match = /^(?:(?:\[([0-9a-f:.]+)\]|([\w.-]+)):)?(\d{1,5})$/i.exec(text)
  const port = Number(match?.[3])
  if (match === null || port === 0 || port > 65535) {
    throw new InvalidArgumentError('It takes a port such as 8080, or 127.0.0.1:8080, or [::1]:8080.')
  }
  return { host: match[1] ?? match[2], port }
}

/** The same, and a port alone is one of 127.0.0.1. */
export function parseTcpAddress(text: string): { host: string; port: number } {
  const { host = '127.0.0.1', port } = parseListen(text)
  return { host, port }
}

/** A host name, or an IPv4 address. */
export function parseServerName(text: string): string {
  const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?'
  if (text.length > 253 || !new RegExp(`^${label}(?:\\.${label})*$`, 'i').test(text)) {
    throw new InvalidArgumentError('It takes one host name, such as shop.example.com.')
  }
  return text.toLowerCase()
}

/** A path that URLs begin with; `''` for the root. */
export function parseUrlPath(text: string): string {
  if (!/^(?:\/[\w~-][\w.~-]*)*\/?$/.test(text)) {
    throw new InvalidArgumentError('It takes a path of letters, digits and ._~-, such as /shop.')
  }
  return text.replace(/\/$/, '')
}

/** What files, upstreams and units are called. */
export function parseName(text: string): string {
  if (!/^[a-z0-9](?:[a-z0-9-]{0,60}[a-z0-9])?$/.test(text)) {
    throw new InvalidArgumentError('It takes a name of a-z, 0-9 and dashes, such as shop.')
  }
  return text
}

/** A user of the system. */
export function parseUser(text: string): string {
  if (!/^[a-z_][a-z0-9_-]{0,30}$/i.test(text)) throw new InvalidArgumentError("It takes a user's name.")
  return text
}
