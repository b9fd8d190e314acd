import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP } from 'node:net'
import { finished } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { formatAddress, getValues, type SocketAddress } from '@fcgi-bridge/client'
import { EXIT } from '../exit-codes.ts'
import { Failure } from '../failure.ts'

/** One request to the front server. */
export interface Ask {
  method?: string
  /** Path and query as they go out. */
  path: string
  /** [name, value, name, value…] as they go out; Host and Connection are added. */
  headers?: readonly string[]
  /** Sent with a length; pieces are sent one by one, without a length. */
  body?: Buffer | readonly Buffer[]
  /** Ask whether the body is wanted before it is sent. */
  expectContinue?: boolean
  /** The address of this machine to connect from. */
  from?: string
}

/** What came back. */
export interface Answer {
  status: number
  headers: IncomingMessage['headers']
  /** The Server header. */
  software: string | undefined
  /** What there is of it: an answer that is cut short ends there. */
  text: string
  /** The address of this machine that it was sent from. */
  from: string | undefined
  /** Milliseconds from the first piece of the body to the last. */
  spread: number
}

/** How to reach the front server. */
export interface FrontOptions {
  url: URL
  /** Where it is, if the URL's host does not lead there. */
  connect?: { host: string; port: number } | undefined
  /** Headers of every request: [name, value, name, value…] */
  headers: readonly string[]
  /** Accept any certificate. */
  insecure: boolean
  /** Milliseconds without anything from the front server. */
  timeout: number
}

// Milliseconds between the pieces of a body without a length: each is to go out by itself.
const PIECE_PAUSE = 50
// How long a server may take to say that it wants a body, in milliseconds: then it gets it unasked.
const CONTINUE_MAX = 1000

/** The front server has not begun to answer in time. */
export class NoAnswerError extends Error {
  constructor() {
    super('there was no answer in time')
    this.name = 'NoAnswerError'
  }
}

/** Sends requests to the front server exactly as they are asked for, each on a connection of its own. */
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

  /** Rejects where no answer comes. `enough` ends the request early: it is asked with every piece. */
  async send(ask: Ask, enough?: (text: string) => boolean): Promise<Answer> {
    const outgoing = this.#open(ask)
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve)
      outgoing.on('error', reject)
      outgoing.once('timeout', () => outgoing.destroy(new NoAnswerError()))
    })
    if (ask.expectContinue) {
      const enoughTime = delay(CONTINUE_MAX, undefined, { ref: false })
      await Promise.race([once(outgoing, 'continue'), answered, enoughTime])
    }
    void writeBody(outgoing, ask.body)
    return readAnswer(await answered, enough)
  }

  #open({ method = 'GET', path, headers = [], body, expectContinue, from }: Ask): ClientRequest {
    const { url, insecure, timeout } = this.#options
    const isHttps = url.protocol === 'https:'
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const fields = ['Host', url.host, 'Connection', 'close', ...this.#options.headers, ...headers]
    if (Buffer.isBuffer(body)) fields.push('Content-Length', String(body.length))
    else if (body !== undefined) fields.push('Transfer-Encoding', 'chunked')
    if (expectContinue) fields.push('Expect', '100-continue')
    return (isHttps ? requestHttps : request)({
      ...this.address,
      method,
      path,
      headers: fields,
      agent: false,
      timeout,
      ...(from !== undefined && { localAddress: from }),
      // An address is no name for TLS (RFC 6066 section 3).
      ...(isHttps && { rejectUnauthorized: !insecure, servername: isIP(host) === 0 ? host : '' }),
    })
  }
}

async function writeBody(outgoing: ClientRequest, body: Ask['body']): Promise<void> {
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

async function readAnswer(incoming: IncomingMessage, enough?: (text: string) => boolean): Promise<Answer> {
  const from = incoming.socket.localAddress
  let text = ''
  let first: number | undefined
  let last = 0
  incoming.setEncoding('utf8').on('data', (piece: string) => {
    text += piece
    last = performance.now()
    first ??= last
    if (enough?.(text)) incoming.destroy()
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

// How long an app may take to answer FCGI_GET_VALUES, in milliseconds.
const VALUES_MAX = 1000

/** Has the front server asked. Throws a Failure where that cannot be, also where an app listens there instead. */
export async function reach<T>(front: FrontClient, ask: () => Promise<T>): Promise<T> {
  const { url, address } = front
  try {
    return await ask()
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException
    // A FastCGI server closes the connection when it gets HTTP or TLS, or sends records that no HTTP parser takes.
    if (/^(ECONNRESET|EPIPE|EPROTO|HPE_|ERR_SSL_)/.test(code) && (await speaksFastCgi(address))) {
      const where = formatAddress(address)
      const what = `${where} speaks FastCGI, not HTTP: an app listens there, and no front server.`
      const advice = `Examine the app with fcgi-bridge doctor ${where}, or give the URL of the front server and --app ${where}.`
      throw new Failure(EXIT.unreachable, `${what}\n${advice}`, { cause })
    }
    const isCertificate = /CERT|SIGNED|ERR_TLS|UNABLE_TO/.test(code)
    const more = isCertificate ? ' Say --insecure to take any certificate.' : ''
    const what = `The front server at ${url.origin} can not be asked: ${message}.${more}`
    throw new Failure(EXIT.unreachable, what, { cause })
  }
}

async function speaksFastCgi(address: SocketAddress): Promise<boolean> {
  try {
    await getValues(address, { timeout: VALUES_MAX })
    return true
  } catch {
    return false
  }
}
