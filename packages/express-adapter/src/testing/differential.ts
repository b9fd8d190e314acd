import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer } from '@fcgi-bridge/core'
import express5, { type Express } from 'express'
import express4 from 'express4'
import { toHandler } from '../handler.ts'
import type { Client, ClientRequest, ClientResponse } from './client.ts'
import { createFastCgiClient } from './fastcgi-client.ts'
import { createHttpClient } from './http-client.ts'

/** The module of one Express version. */
type ExpressModule = typeof express5

/** The Express versions that every scenario runs under. */
export const expressVersions: readonly (readonly [name: string, express: ExpressModule])[] = [
  ['Express 5', express5],
  ['Express 4', express4],
]

/** The tools that a scenario's app gets. */
export interface Kit {
  readonly express: ExpressModule
  /** Adds a line to the trace of the latest request. */
  note(text: string): void
  /** The promise `opened` and the function `open`, which resolves it. App and client wait for each other at the gate of the same name. */
  gate(name: string): Gate
}

interface Gate {
  readonly opened: Promise<void>
  open(): void
}

/** Something that users do. It must give the same result over HTTP and over FastCGI. */
export interface Scenario {
  readonly name: string
  /** Sets the app up. */
  app(app: Express, kit: Kit): void
  /** Sends the requests. Its result is compared. Default: GET /. */
  drive?(client: TestClient, kit: Kit): Promise<unknown>
  /**
   * - `events` (the default): compare the events of request and response, and the notes, in one order.
   * - `each`: compare the events of the request, those of the response, and the notes, each in its own order.
   * - `none`: compare only the result.
   */
  trace?: 'events' | 'each' | 'none'
  /** The request never emits 'close', because nobody reads the rest of its body. */
  requestStaysOpen?: boolean
}

/** A client with shorter methods for requests without a streamed body. */
export interface TestClient extends Client {
  get(path?: string, headers?: readonly string[]): Promise<ComparableResponse>
  fetch(request: ClientRequest): Promise<ComparableResponse>
}

/** The parts of a response that are compared. */
interface ComparableResponse {
  status: number | 'no response'
  reason: string
  headers: [name: string, value: string][]
  body: string
  complete: boolean
}

/** The outcome of a scenario on one transport. */
export interface Outcome {
  result: unknown
  events: readonly (readonly string[])[]
}

// The order of these events is the same on every transport. The order of others ('data', 'drain', …) depends on when bytes arrive.
const TRACED: ReadonlySet<string | symbol> = new Set([
  'aborted',
  'close',
  'end',
  'error',
  'finish',
  'pipe',
  'prefinish',
  'timeout',
  'unpipe',
])

/** Runs a scenario over HTTP and over FastCGI. */
export async function runScenario(
  scenario: Scenario,
  express: ExpressModule,
): Promise<{ http: Outcome; fastcgi: Outcome }> {
  return {
    http: await runOverHttp(scenario, express),
    fastcgi: await runOverFastCgi(scenario, express),
  }
}

async function runOverHttp(scenario: Scenario, express: ExpressModule): Promise<Outcome> {
  const run = new Run(scenario, express)
  const server = createHttpServer(run.app)
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  try {
    return await run.drive(createHttpClient((server.address() as AddressInfo).port))
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => {
      server.close(resolve)
    })
  }
}

async function runOverFastCgi(scenario: Scenario, express: ExpressModule): Promise<Outcome> {
  const run = new Run(scenario, express)
  const server = createServer(toHandler(run.app), { drainTimeout: 100 })
  await server.listen({ port: 0, host: '127.0.0.1' })
  try {
    return await run.drive(createFastCgiClient((server.address() as AddressInfo).port))
  } finally {
    await server.close()
  }
}

class Run implements Kit {
  readonly express: ExpressModule
  readonly app: Express
  readonly #scenario: Scenario
  readonly #traces: Trace[] = []
  readonly #gates = new Map<string, Gate>()

  constructor(scenario: Scenario, express: ExpressModule) {
    this.#scenario = scenario
    this.express = express
    this.app = express()
    // Express logs errors in every other environment.
    this.app.set('env', 'test')
    this.app.use((request, response, next) => {
      this.#traces.push(new Trace(request, response, scenario))
      next()
    })
    scenario.app(this.app, this)
  }

  note(text: string): void {
    this.#traces.at(-1)!.lines.push(text)
  }

  gate(name: string): Gate {
    let gate = this.#gates.get(name)
    if (gate === undefined) {
      let open = (): void => {}
      const opened = new Promise<void>((resolve) => {
        open = resolve
      })
      gate = { opened, open }
      this.#gates.set(name, gate)
    }
    return gate
  }

  async drive(client: Client): Promise<Outcome> {
    const fetch = async (request: ClientRequest): Promise<ComparableResponse> =>
      comparable(await client.send(request).response)
    const testClient: TestClient = {
      ...client,
      fetch,
      get: (path = '/', headers = []) => fetch({ path, headers }),
    }
    try {
      const result = await (this.#scenario.drive?.(testClient, this) ?? testClient.get())
      await Promise.all(this.#traces.map((trace) => trace.settled))
      // Listeners of 'close' may add to the trace.
      await new Promise(setImmediate)
      return { result, events: this.#traces.flatMap((trace) => trace.outcome()) }
    } finally {
      await client.close()
    }
  }
}

class Trace {
  readonly lines: string[] = []
  readonly settled: Promise<unknown>
  readonly #mode: 'events' | 'each' | 'none'

  constructor(request: IncomingMessage, response: ServerResponse, scenario: Scenario) {
    this.#mode = scenario.trace ?? 'events'
    const closes = [this.#watch(response, 'res')]
    const requestCloses = this.#watch(request, 'req')
    if (!scenario.requestStaysOpen) closes.push(requestCloses)
    this.settled = Promise.all(closes)
  }

  outcome(): readonly string[][] {
    if (this.#mode === 'none') return []
    if (this.#mode === 'events') return [this.lines]
    const isEvent = (line: string): boolean => /^(?:req|res) /.test(line)
    return [
      this.lines.filter((line) => line.startsWith('req ')),
      this.lines.filter((line) => line.startsWith('res ')),
      this.lines.filter((line) => !isEvent(line)),
    ]
  }

  #watch(emitter: IncomingMessage | ServerResponse, name: string): Promise<void> {
    const { emit } = emitter
    return new Promise((resolve) => {
      emitter.emit = (event: string | symbol, ...args: unknown[]): boolean => {
        if (TRACED.has(event)) this.#add(`${name} ${String(event)}`, event, args)
        const heard = Reflect.apply(emit, emitter, [event, ...args])
        if (event === 'close') resolve()
        return heard
      }
    })
  }

  #add(line: string, event: string | symbol, args: readonly unknown[]): void {
    this.lines.push(
      event === 'error'
        ? `${line} ${(args[0] as NodeJS.ErrnoException).code ?? (args[0] as Error).message}`
        : line,
    )
  }
}

/** Returns the parts of a response that must be the same on both transports. */
export function comparable(response: ClientResponse): ComparableResponse {
  const body = response.body.toString('latin1')
  // Where an HTTP server closes the connection without a response, the FastCGI server sends its own 500.
  if (response.status === 0 || (response.status === 500 && body === '500 Internal Server Error\n')) {
    return { status: 'no response', reason: '', headers: [], body: '', complete: false }
  }
  // The body of an incomplete response is not compared: how much of it arrives depends on timing.
  return { ...response, body: response.complete ? body : '' }
}
