/** A request for a test client to send. */
export interface ClientRequest {
  method?: string
  path?: string
  /** Name, value, name, value … */
  headers?: readonly string[]
  /** Sent with a Content-Length. Undefined: the request has no body, unless `streamed`. */
  body?: string | Uint8Array
  /** The body is sent with `write` and `end`. Its length is unknown unless `headers` has a Content-Length. */
  streamed?: boolean
  httpVersion?: '1.0' | '1.1'
}

// Without a Content-Length, requests with these methods have no body. Others have an empty body.
const BODYLESS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS'])

/** The body to send at once: an empty one, with its Content-Length, if the method calls for a body. */
export function bodyOf({ method = 'GET', body, streamed }: ClientRequest): string | Uint8Array | undefined {
  return body ?? (streamed || BODYLESS.has(method) ? undefined : '')
}

/** A response. `complete` is false if it was cut off. `status` is 0 if there was no response. */
export interface ClientResponse {
  status: number
  /** The reason phrase (statusMessage). `''` if there was no response. */
  reason: string
  /** The headers, names in lower case, sorted by name, without the headers of the connection. */
  headers: [name: string, value: string][]
  body: Buffer
  complete: boolean
}

/** A running request. */
export interface ClientExchange {
  /** Resolves with the status when the head has arrived. */
  readonly head: Promise<number>
  /** Resolves with the response when it has ended or was cut off. */
  readonly response: Promise<ClientResponse>
  /** Resolves when `text` has arrived as a part of the body. */
  received(text: string): Promise<void>
  write(chunk: string | Uint8Array): void
  end(): void
  /** Disconnects. */
  abort(): void
  /** Stops reading. */
  pause(): void
  /** Continues reading. */
  resume(): void
}

/** Sends requests to one server. */
export interface Client {
  send(request?: ClientRequest): ClientExchange
  close(): Promise<void>
}

// Headers of the connection, and headers that change from one response to the next. They are not compared.
const LEFT_OUT: ReadonlySet<string> = new Set([
  'connection',
  'date',
  'keep-alive',
  'transfer-encoding',
  'trailer',
  'status',
])

/** The headers of a flat list that are compared, sorted by name. */
export function comparableHeaders(list: readonly string[]): [name: string, value: string][] {
  const headers: [string, string][] = []
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i]!.toLowerCase()
    if (!LEFT_OUT.has(name)) headers.push([name, list[i + 1]!])
  }
  return headers.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
}

/** Collects a response body. Resolves promises for parts of it. */
export class BodyCollector {
  readonly #chunks: Buffer[] = []
  readonly #waiting: { text: string; resolve: () => void }[] = []

  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    for (const wait of [...this.#waiting]) {
      if (!this.bytes.includes(wait.text)) continue
      this.#waiting.splice(this.#waiting.indexOf(wait), 1)
      wait.resolve()
    }
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  received(text: string): Promise<void> {
    if (this.bytes.includes(text)) return Promise.resolve()
    return new Promise((resolve) => {
      this.#waiting.push({ text, resolve })
    })
  }
}
