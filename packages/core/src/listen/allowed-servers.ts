import { BlockList, isIP } from 'node:net'

/** The peers that can connect (FCGI_WEB_SERVER_ADDRS, section 3.2). */
export interface AllowedServers {
  /** Whether the peer with this IP address can connect. */
  allows(address: string): boolean
}

/**
 * Parses a list of IP addresses. An IPv4 address and its IPv4-mapped IPv6 form are the same. Throws a RangeError if one of them is
 * invalid, because ignoring it would weaken the check.
 */
export function parseAllowedServers(addresses: readonly string[]): AllowedServers {
  const list = new BlockList()
  for (const address of addresses) {
    const plain = unmap(address.trim())
    const family = isIP(plain)
    if (family === 0) {
      throw new RangeError(
        `'${address}' is not an IP address (FCGI_WEB_SERVER_ADDRS, or the option allowedServers). Write addresses like 127.0.0.1 or ::1.`,
      )
    }
    list.addAddress(plain, family === 4 ? 'ipv4' : 'ipv6')
  }
  return {
    allows(address) {
      const plain = unmap(address)
      return list.check(plain, isIP(plain) === 4 ? 'ipv4' : 'ipv6')
    },
  }
}

function unmap(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address
}
