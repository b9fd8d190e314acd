import { BlockList, isIP } from 'node:net'

/** Which peers may connect (FCGI_WEB_SERVER_ADDRS, section 3.2). */
export interface AllowedServers {
  allows(address: string): boolean
}

/**
 * Reads a list of IP addresses. IPv4 and its IPv4-mapped IPv6 form are the same address. Throws a RangeError for what is
 * no address: a guard that is half understood is none.
 */
export function parseAllowedServers(addresses: readonly string[]): AllowedServers {
  const list = new BlockList()
  for (const address of addresses) {
    const plain = unmap(address.trim())
    const family = isIP(plain)
    if (family === 0) {
      throw new RangeError(
        `'${address}' is no IP address (FCGI_WEB_SERVER_ADDRS, or the option allowedServers). Give addresses as 127.0.0.1 or ::1.`,
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
