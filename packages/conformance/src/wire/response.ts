/** A response up to its END_REQUEST, parsed as a CGI response (RFC 3875, section 6). */
export interface CgiResponse {
  /** All of STDOUT, one character per byte. */
  stdout: string
  /** All of STDERR. */
  stderr: string
  /** The value of the `Status` header. 200 without that header. 0 without a response head. */
  status: number
  /** The header fields in order, with lower-case names. */
  headers: [name: string, value: string][]
  body: string
  appStatus: number
  protocolStatus: number
}

/** Parses the CGI head at the beginning of STDOUT. */
export function readHead(stdout: string): Pick<CgiResponse, 'status' | 'headers' | 'body'> {
  const end = /\r?\n\r?\n/.exec(stdout)
  if (!end) return { status: 0, headers: [], body: stdout }
  const headers = stdout
    .slice(0, end.index)
    .split(/\r?\n/)
    .map((line): [string, string] => {
      const colon = line.indexOf(':')
      return colon < 0 ? [line, ''] : [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    })
  const status = headers.find(([name]) => name === 'status')?.[1]
  return {
    status: status === undefined ? 200 : Number.parseInt(status, 10),
    headers,
    body: stdout.slice(end.index + end[0].length),
  }
}

/** Quotes text for a message, shortened, and with its length. */
export function quote(text: string): string {
  const shown = text.length > 80 ? `${text.slice(0, 60)}…${text.slice(-15)}` : text
  return `${JSON.stringify(shown)} (${text.length} bytes)`
}
