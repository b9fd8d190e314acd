// Validates authorities: the part of a URL between `http://` and the path (RFC 9110 section 4.2, RFC 3986 section 3.2), without
// userinfo.

// A host name has at most 255 bytes (RFC 1035 section 2.3.4, with a final dot). The URL parser of Node 20 and 22 decodes a label that
// begins with `xn--` in quadratic time: 128 KB took 300 ms. So a longer host must not reach it.
const HOST_MAX = 255
const PORT_MAX = ':65535'.length

// Nearly all hosts match one of these. The URL parser accepts a match without changing it: no label begins like `xn--`, and the last
// label of a name begins with a letter (`a.1` would be an invalid IPv4 address).
const NAME = /^(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)*[a-z][a-z0-9]*(?:-[a-z0-9]+)*(?::\d{1,5})?$/i
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?::\d{1,5})?$/

// The characters of a reg-name or an IP-literal. Percent-encoding is not allowed, because no front server routes by such a name.
const REG_NAME_OR_IP_LITERAL = /^(?:\[[0-9a-f:.]+\]|[a-z0-9._~!$&'()*+,;=-]+)(?::\d{0,5})?$/i

/**
 * Whether `text` is an authority that can be put into a URL: a host of at most 255 bytes and an optional port, but no userinfo, and no
 * character that would begin the path or the query.
 */
export function isAuthority(text: string): boolean {
  // A server has few names, and most requests have the same one as the request before.
  if (text === lastAuthority) return true
  if (text.length > HOST_MAX + PORT_MAX || !isValid(text)) return false
  lastAuthority = text
  return true
}

let lastAuthority = 'localhost'

function isValid(text: string): boolean {
  if (text.length > HOST_MAX && hostOf(text).length > HOST_MAX) return false
  if (NAME.test(text) || IPV4.test(text)) {
    // A port of five digits may be too large.
    const colon = text.length - 6
    return text.charCodeAt(colon) !== 0x3a || Number(text.slice(colon + 1)) <= 65535
  }
  return REG_NAME_OR_IP_LITERAL.test(text) && staysSame(text)
}

// Whether the URL parser keeps the host as it is. It rewrites some forms of IPv4 addresses (`127.1`, `0x7f.1`, `1.2.3.4.`), and the URL
// would then name another host than the header does.
function staysSame(text: string): boolean {
  const url = `http://${text}/`
  if (!URL.canParse(url)) return false
  return text.startsWith('[') || new URL(url).hostname === hostOf(text).toLowerCase()
}

// Returns the host without the port. `text` must not be an IPv6 address.
function hostOf(text: string): string {
  const colon = text.indexOf(':')
  return colon < 0 ? text : text.slice(0, colon)
}

/**
 * Builds the authority from SERVER_NAME and SERVER_PORT. Returns undefined if `name` is not a valid host. `port` replaces a port in the
 * name (HAProxy adds one). IPv6 addresses get brackets. The scheme's default port is omitted.
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
  const usedPort = port || ownPort
  const isDefaultPort = usedPort === '' || usedPort === (scheme === 'https' ? '443' : '80')
  const authority = isDefaultPort ? host : `${host}:${usedPort}`
  return isAuthority(authority) ? authority : undefined
}
