import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP } from 'node:net'
import { finished } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { formatAddress, getValues, type SocketAddress } from '@fcgi-bridge/client'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'

/** One request to the front server. */
export interface FrontRequest {
  method?: string
  /** The path and query, as they are sent. */
  path: string
  /** [name, value, name, value…], as they are sent. Host and Connection are added. */
  headers?: readonly string[]
  /** A Buffer is sent with a Content-Length. An array is sent piece by piece, with chunked encoding. */
  body?: Buffer | readonly Buffer[]
  /** Send `Expect: 100-continue`, and wait for the response before sending the body. */
  expectContinue?: boolean
  /** The address of this machine to connect from. */
  from?: string
}

/** The front server's response. */
export interface FrontResponse {
  status: number
  headers: IncomingMessage['headers']
  /** The Server header. */
  software: string | undefined
  /** The body. It may be truncated. */
  text: string
  /** The local address of the connection. */
  from: string | undefined
  /** Milliseconds from the first piece of the body to the last. */
  spread: number
}

/** How to reach the front server. */
interface FrontOptions {
  url: URL
  /** The front server's address, if the URL's host does not resolve to it. */
  connect?: { host: string; port: number } | undefined
  /** Headers that are added to every request: [name, value, name, value…] */
  headers: readonly string[]
  /** Accept any certificate. */
  insecure: boolean
  /** A request fails if the front server sends nothing for this many milliseconds. */
  timeout: number
}

// Milliseconds between the pieces of a chunked body, so that each piece is sent on its own.
const PIECE_PAUSE = 50
// Milliseconds to wait for 100 Continue. After that, the body is sent anyway (RFC 9110 section 10.1.1).
const CONTINUE_TIMEOUT = 1000

/** The front server did not begin to respond within the timeout. */
export class ResponseTimeoutError extends Error {
  constructor() {
    super('there was no response within the timeout')
    this.name = 'ResponseTimeoutError'
  }
}

/** Sends requests to the front server without changing them, each on its own connection. */
export class FrontClient {
  readonly #options: FrontOptions

  constructor(options: FrontOptions) {
    this.#options = options
  }

  get url(): URL {
    return this.#options.url
  }

  /** The TCP address that requests go to. */
  get address(): { host: string; port: number } {
    const { url, connect } = this.#options
    const host = url.hostname.replace(/^\[|\]$/g, '')
    return connect ?? { host, port: Number(url.port || (url.protocol === 'https:' ? 443 : 80)) }
  }

  /**
   * Sends a request and reads the whole response. Rejects if there is none. `isEnough` is called with the body after each piece, and
   * ends the request when it returns true.
   */
  async send(request: FrontRequest, isEnough?: (text: string) => boolean): Promise<FrontResponse> {
    const outgoing = this.#open(request)
    const responded = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve)
      outgoing.on('error', reject)
      outgoing.once('timeout', () => outgoing.destroy(new ResponseTimeoutError()))
    })
    if (request.expectContinue) {
      const timedOut = delay(CONTINUE_TIMEOUT, undefined, { ref: false })
      await Promise.race([once(outgoing, 'continue'), responded, timedOut])
    }
    void writeBody(outgoing, request.body)
    return readResponse(await responded, isEnough)
  }

  #open({ method = 'GET', path, headers = [], body, expectContinue, from }: FrontRequest): ClientRequest {
    const { url, insecure, timeout } = this.#options
    const isHttps = url.protocol === 'https:'
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const fields = ['Host', url.host, 'Connection', 'close', ...this.#options.headers, ...headers]
    if (Buffer.isBuffer(body)) fields.push('Content-Length', String(body.length))
    else if (body !== undefined) fields.push('Transfer-Encoding', 'chunked')
    if (expectContinue) fields.push('Expect', '100-continue')
    return (isHttps ? requestHttps : requestHttp)({
      ...this.address,
      method,
      path,
      headers: fields,
      agent: false,
      timeout,
      ...(from !== undefined && { localAddress: from }),
      // An IP address is not allowed as a server name in TLS (RFC 6066 section 3).
      ...(isHttps && { rejectUnauthorized: !insecure, servername: isIP(host) === 0 ? host : '' }),
    })
  }
}

async function writeBody(outgoing: ClientRequest, body: FrontRequest['body']): Promise<void> {
  if (body === undefined || Buffer.isBuffer(body)) {
    outgoing.end(body)
    return
  }
  for (const piece of body) {
    outgoing.write(piece)
    await delay(PIECE_PAUSE)
  }
  outgoing.end()
}

async function readResponse(
  incoming: IncomingMessage,
  isEnough?: (text: string) => boolean,
): Promise<FrontResponse> {
  const from = incoming.socket.localAddress
  let text = ''
  let first: number | undefined
  let last = 0
  incoming.setEncoding('utf8').on('data', (piece: string) => {
    text += piece
    last = performance.now()
    first ??= last
    if (isEnough?.(text)) incoming.destroy()
  })
  await finished(incoming).catch(() => {})
  const { statusCode, headers } = incoming
  return {
    status: statusCode!,
    headers,
    software: headers.server?.toString(),
    text,
    from,
    spread: first === undefined ? 0 : last - first,
  }
}

// Milliseconds to wait for a response to FCGI_GET_VALUES.
const GET_VALUES_TIMEOUT = 1000

/**
 * Runs `send`, which sends a request to the front server. Throws a Failure that says what to do if there is no response, or if a
 * FastCGI app listens there instead of a front server.
 */
export async function explainFrontErrors<T>(front: FrontClient, send: () => Promise<T>): Promise<T> {
  const { url, address } = front
  try {
    return await send()
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException
    // A FastCGI server that receives HTTP or TLS closes the connection, or sends records, which an HTTP parser rejects.
    if (/^(ECONNRESET|EPIPE|EPROTO|HPE_|ERR_SSL_)/.test(code) && (await speaksFastCgi(address))) {
      const where = formatAddress(address)
      const what = `${where} speaks FastCGI, not HTTP: an app listens there, not a front server.`
      const advice = `Examine the app alone with fcgi-bridge doctor ${where}, or give the URL of the front server and --app ${where}.`
      throw new Failure(EXIT.unreachable, `${what}\n${advice}`, { cause })
    }
    const isCertificate = /CERT|SIGNED|ERR_TLS|UNABLE_TO/.test(code)
    const advice = isCertificate
      ? 'Use --insecure to accept any certificate.'
      : 'Check that it runs and that the URL is right. If the host of the URL does not resolve to it, use --connect.'
    const what = `No response from the front server at ${url.origin}: ${message}.`
    throw new Failure(EXIT.unreachable, `${what}\n${advice}`, { cause })
  }
}

async function speaksFastCgi(address: SocketAddress): Promise<boolean> {
  try {
    await getValues(address, { timeout: GET_VALUES_TIMEOUT })
    return true
  } catch {
    return false
  }
}
