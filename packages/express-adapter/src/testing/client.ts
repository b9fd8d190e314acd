/** What a client asks. */
export interface ClientRequest {
  method?: string
  path?: string
  /** Name, value, name, value … */
  headers?: readonly string[]
  /** Sent with its Content-Length; without it the request has no body, unless `streamed`. */
  body?: string | Uint8Array
  /** The body is sent with `write` and `end`, of unknown length unless `headers` has one. */
  streamed?: boolean
  httpVersion?: '1.0' | '1.1'
}

// Methods that say that there is no body by saying nothing of it.
const BODYLESS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS'])

/** The body to send at once: an empty one, which is announced, where the method calls for one. */
export function bodyOf({ method = 'GET', body, streamed }: ClientRequest): string | Uint8Array | undefined {
  return body ?? (streamed || BODYLESS.has(method) ? undefined : '')
}

/** What came back. `complete` is false where the answer was cut; `status` is 0 where there was none. */
export interface ClientResponse {
  status: number
  /** The reason phrase (statusMessage), `''` where there was no response. */
  reason: string
  /** Lower-case name and value of each header, sorted by name, without those that belong to the connection. */
  headers: [name: string, value: string][]
  body: Buffer
  complete: boolean
}

/** One request under way. */
export interface ClientExchange {
  /** Settles with the status once the head is here. */
  readonly head: Promise<number>
  /** Settles with all of the answer, or what came of it. */
  readonly response: Promise<ClientResponse>
  /** Settles once `text` has come in with the body. */
  received(text: string): Promise<void>
  write(chunk: string | Uint8Array): void
  end(): void
  /** The client goes away. */
  abort(): void
  /** The client stops reading, and goes on. */
  pause(): void
  resume(): void
}

/** Something to send requests to. */
export interface Client {
  send(request?: ClientRequest): ClientExchange
  close(): Promise<void>
}

// Of a connection or of the moment, and so not to be compared.
const LEFT_OUT: ReadonlySet<string> = new Set([
  'connection',
  'date',
  'keep-alive',
  'transfer-encoding',
  'trailer',
  'status',
])

/** The headers to compare of a flat list. */
export function comparableHeaders(list: readonly string[]): [name: string, value: string][] {
  const headers: [string, string][] = []
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i]!.toLowerCase()
    if (!LEFT_OUT.has(name)) headers.push([name, list[i + 1]!])
  }
  return headers.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
}

/** Collects an answer's body, and tells who waits for a part of it. */
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
