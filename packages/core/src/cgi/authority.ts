// What can stand between `http://` and the path (RFC 9110 section 4.2, RFC 3986 section 3.2), without userinfo.

// A host name has at most 255 bytes (RFC 1035 section 2.3.4, with a final dot). The URL parser of Node 20 and 22 decodes a
// label that begins with `xn--` in quadratic time, so a longer host must not reach it: 128 KB took 300 ms.
const HOST_MAX = 255
const PORT_MAX = ':65535'.length

// Names as nearly all are, and IPv4 addresses: the URL parser accepts what these match, and does not change it. No label begins
// like `xn--`, and the last begins with a letter (`a.1` would be a broken IPv4 address).
const NAME = /^(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)*[a-z][a-z0-9]*(?:-[a-z0-9]+)*(?::\d{1,5})?$/i
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?::\d{1,5})?$/

// The characters of a reg-name (no percent-encoding: no front server routes by one) or an IP-literal.
const POSSIBLE = /^(?:\[[0-9a-f:.]+\]|[a-z0-9._~!$&'()*+,;=-]+)(?::\d{0,5})?$/i

/**
 * Whether `text` is an authority that a URL can be built from: a host of at most 255 bytes, an optional port, and nothing that would
 * become a part of the URL's userinfo, path or query.
 */
export function isAuthority(text: string): boolean {
  // A server has few names, and most requests name the same one as the request before.
  if (text === lastAuthority) return true
  if (text.length > HOST_MAX + PORT_MAX || !mayBeAuthority(text)) return false
  lastAuthority = text
  return true
}

let lastAuthority = 'localhost'

function mayBeAuthority(text: string): boolean {
  if (text.length > HOST_MAX && hostOf(text).length > HOST_MAX) return false
  if (NAME.test(text) || IPV4.test(text)) {
    // A port of five digits may be too big.
    const colon = text.length - 6
    return text.charCodeAt(colon) !== 0x3a || Number(text.slice(colon + 1)) <= 65535
  }
  return POSSIBLE.test(text) && isKept(text)
}

// A URL changes some forms of IPv4 addresses (`127.1`, `0x7f.1`, `1.2.3.4.`), so that it names another host than the header.
function isKept(text: string): boolean {
  const url = `http://${text}/`
  if (!URL.canParse(url)) return false
  return text.startsWith('[') || new URL(url).hostname === hostOf(text).toLowerCase()
}

// Without the port. Not for IPv6 addresses.
function hostOf(text: string): string {
  const colon = text.indexOf(':')
  return colon < 0 ? text : text.slice(0, colon)
}

/**
 * The authority that SERVER_NAME and SERVER_PORT name, or undefined if `name` is not a host. `port` replaces a port in the name
 * (HAProxy writes one there). IPv6 addresses are put in brackets. The scheme's default port is left out.
 */
export function serverAuthority(
  name: string,
  port: string | undefined,
  scheme: 'http' | 'https',
): string | undefined {
  const colon = name.indexOf(':')
  let host = name
  let ownPort = ''
  if (name.startsWith('[')) {
    const end = name.indexOf(']') + 1
    host = name.slice(0, end)
    ownPort = name.slice(end + 1)
  } else if (colon >= 0 && name.indexOf(':', colon + 1) >= 0) {
    host = `[${name}]`
  } else if (colon >= 0) {
    host = name.slice(0, colon)
    ownPort = name.slice(colon + 1)
    // On a Unix socket, nginx's $server_addr is `unix:/path`.
    if (!/^\d{0,5}$/.test(ownPort)) return undefined
  }
  const wanted = port || ownPort
  const authority = !wanted || wanted === (scheme === 'https' ? '443' : '80') ? host : `${host}:${wanted}`
  return isAuthority(authority) ? authority : undefined
}
