import { once } from 'node:events'
import { connect } from 'node:net'
import type { Origin } from '../fronts/front.ts'

/** Sends bytes unchanged on a new connection. Returns the status and the body of the response. */
export async function sendRaw(origin: Origin, request: string): Promise<{ status: number; text: string }> {
  const socket = connect(origin.port, origin.host).setEncoding('latin1')
  let response = ''
  socket.on('data', (text: string) => {
    response += text
  })
  socket.write(request, 'latin1')
  await once(socket, 'close')
  const bodyAt = response.indexOf('\r\n\r\n') + 4
  const head = response.slice(0, bodyAt)
  const body = response.slice(bodyAt)
  return {
    status: Number(/^HTTP\/1\.\d (\d{3})/.exec(head)?.[1]),
    text: /^transfer-encoding: *chunked/im.test(head) ? unchunked(body) : body,
  }
}

function unchunked(body: string): string {
  let text = ''
  for (let at = 0; at < body.length; ) {
    const lineEnd = body.indexOf('\r\n', at)
    const length = Number.parseInt(body.slice(at, lineEnd), 16)
    if (length === 0) return text
    text += body.slice(lineEnd + 2, lineEnd + 2 + length)
    at = lineEnd + 2 + length + 2
  }
  throw new Error(`The chunked body is cut short: ${JSON.stringify(body)}`)
}
