import { InvalidArgumentError } from 'commander'
import type { HostAndPort } from './site.ts'

// Parsers for the flags of `fcgi-bridge config`. The values are written into configs without quotes, so each parser accepts only
// characters that have no special meaning in any server's syntax. Each throws InvalidArgumentError for anything else.

/** Parses `8080`, `127.0.0.1:8080` or `[::1]:8080`. */
export function parseListen(text: string): HostAndPort {
  const match = /^(?:(?:\[([0-9a-f:.]+)\]|([\w.-]+)):)?(\d{1,5})$/i.exec(text)
  const port = Number(match?.[3])
  if (match === null || port === 0 || port > 65535) {
    throw new InvalidArgumentError('It takes a port such as 8080, or 127.0.0.1:8080, or [::1]:8080.')
  }
  return { host: match[1] ?? match[2], port }
}

/** Like {@link parseListen}; a port without a host is a port on 127.0.0.1. */
export function parseTcpAddress(text: string): { host: string; port: number } {
  const { host = '127.0.0.1', port } = parseListen(text)
  return { host, port }
}

/** Parses a host name or an IPv4 address. */
export function parseServerName(text: string): string {
  const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?'
  if (text.length > 253 || !new RegExp(`^${label}(?:\\.${label})*$`, 'i').test(text)) {
    throw new InvalidArgumentError('It takes one host name, such as shop.example.com.')
  }
  return text.toLowerCase()
}

/** Parses the path of a mount: `''` for the root. */
export function parseUrlPath(text: string): string {
  if (!/^(?:\/[\w~-][\w.~-]*)*\/?$/.test(text)) {
    throw new InvalidArgumentError('It takes a path of letters, digits and ._~-, such as /shop.')
  }
  return text.replace(/\/$/, '')
}

/** Parses the name of files, upstreams and units. */
export function parseName(text: string): string {
  if (!isName(text)) throw new InvalidArgumentError('It takes a name of a-z, 0-9 and dashes, such as shop.')
  return text
}

/** Whether a text can be the name of files, upstreams and units. */
export function isName(text: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]{0,60}[a-z0-9])?$/.test(text)
}

/** Parses the name of a system user. */
export function parseUser(text: string): string {
  if (!/^[a-z_][a-z0-9_-]{0,30}$/i.test(text))
    throw new InvalidArgumentError('It takes the name of a system user, such as www-data.')
  return text
}
