/** What came for one request, up to its END_REQUEST, read as a CGI response (RFC 3875, section 6). */
export interface Answer {
  /** All of STDOUT, one character a byte. */
  stdout: string
  /** All of STDERR. */
  stderr: string
  /** Of the `Status` header; 200 where there is none, and 0 where there is no head at all. */
  status: number
  /** The header fields in order, their names in lower case. */
  headers: [name: string, value: string][]
  /** What follows the head. */
  body: string
  appStatus: number
  protocolStatus: number
}

/** Reads the CGI head at the beginning of STDOUT. */
export function readHead(stdout: string): Pick<Answer, 'status' | 'headers' | 'body'> {
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

/** The text in quotes, short enough to be read. */
export function quote(text: string): string {
  const shown = text.length > 80 ? `${text.slice(0, 60)}…${text.slice(-15)}` : text
  return `${JSON.stringify(shown)} (${text.length} bytes)`
}
