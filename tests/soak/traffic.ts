import { once } from 'node:events'
import { Agent } from 'node:http'
import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { content, digest } from '../support/apps/content.js'
import { open, readAll, readUntil, send, type TestRequest } from '../support/cases/http.ts'
import type { Mode, Origin } from '../support/fronts/front.ts'

/** The target of requests: an app behind a front server in one of its modes. */
export interface Target {
  name: string
  origin: Origin
  mode: Mode
}

export interface Failure {
  target: string
  kind: string
  /** Seconds since the start. */
  at: number
  error: string
}

/** An id whose control messages are sent before the traffic, so that no request with it has to wait. */
export const SAID = 'soak'

interface Client {
  target: Target
  /** Sends requests on a keep-alive connection. */
  ask(path: string, ask?: TestRequest): ReturnType<typeof send>
  url(path: string): string
}

/** The kinds of request. Each throws if the response is not the expected one. */
const KINDS: Record<string, (client: Client) => Promise<void>> = {
  async small({ ask }) {
    const { status, text } = await ask('/text')
    expectSame(`${status} ${text}`, '200 some text\n')
  },

  async json({ ask }) {
    const body = JSON.stringify({ some: 'data' })
    const { text } = await ask('/json', {
      method: 'POST',
      headers: ['Content-Type', 'application/json'],
      body,
    })
    expectSame(text, body)
  },

  async upload({ ask }) {
    const body = Buffer.concat([...content(randomLength(1_000_000))])
    const { text } = await ask('/digest', { method: 'POST', body })
    expectSame(text, JSON.stringify(await digest([body])))
  },

  async 'chunked upload'({ ask }) {
    const length = randomLength(100_000)
    const headers = ['Transfer-Encoding', 'chunked']
    const { text } = await ask('/digest', { method: 'POST', headers, body: content(length) })
    expectSame(text, JSON.stringify(await digest(content(length))))
  },

  async download({ ask }) {
    const length = randomLength(1_000_000)
    const { body } = await ask(`/content/${length}`)
    expectSame(JSON.stringify(await digest([body])), JSON.stringify(await digest(content(length))))
  },

  async 'server-sent events'({ target, url }) {
    const incoming = await open(target.origin, url(`/events?id=${SAID}`))
    for (let event = 0; event < 5; event++) await readUntil(incoming, 'data: ')
    incoming.destroy()
  },

  async 'interrupted download'({ target, url }) {
    const incoming = await open(target.origin, url('/content/20000000'))
    await once(incoming, 'readable')
    incoming.destroy()
  },

  async 'interrupted upload'({ target, url }) {
    const client = connect(target.origin)
    client.write(
      `POST ${url(`/upload?id=${SAID}`)} HTTP/1.1\r\nHost: front.test\r\nContent-Length: 1000000\r\n\r\n`,
    )
    client.end('x'.repeat(300_000))
    // Front servers differ: an error response, or a closed connection.
    client.resume().on('error', () => {})
    await once(client, 'close')
  },

  async 'error before the head'({ ask }) {
    const { status } = await ask(`/fail/before?id=${SAID}`)
    expectSame(String(status), '500')
  },

  async 'error after the head'({ target, url }) {
    // mod_fcgid ends a process that closes a connection early. Then no process would live for the whole run.
    if (target.mode.traits.failedResponse === 'error page') return
    let seen: string
    try {
      const incoming = await open(target.origin, url(`/fail/after?id=${SAID}`))
      seen = (await readAll(incoming)).toString()
    } catch (error) {
      seen = String(error)
    }
    if (seen === 'the beginning\n') throw new Error('The response looked complete.')
  },

  async 'no such page'({ ask }) {
    const { status } = await ask('/nothing/here')
    expectSame(String(status), '404')
  },

  async refused({ target, url }) {
    // nginx may close the client's connection after a response that was sent before the request body arrived.
    const { status } = await send(target.origin, url('/refuse'), {
      method: 'POST',
      body: Buffer.alloc(300_000),
    })
    expectSame(String(status), '413')
  },
}

/** The order of the kinds. Most requests are small, and each kind follows several different ones. */
const ROUND = [
  ['small', 'json', 'small', 'upload', 'small', 'download', 'small', 'error before the head', 'small'],
  ['no such page', 'small', 'chunked upload', 'small', 'interrupted upload', 'small', 'json', 'small'],
  ['interrupted download', 'small', 'refused', 'small', 'server-sent events', 'small', 'upload', 'small'],
  ['error after the head', 'small', 'download', 'small', 'no such page', 'small', 'interrupted upload'],
].flat()

/** Clients that send one request after the other until they are stopped. */
export class Traffic {
  /** The number of successful requests of each kind. */
  readonly done: Record<string, number> = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, 0]))
  /** The first hundred failures. */
  readonly failures: Failure[] = []
  failed = 0
  readonly #start = performance.now()
  readonly #clients: Promise<void>[]
  #stopped = false

  /**
   * @param clients Number of clients for each target.
   * @param pause Time that each client waits before its next request, in milliseconds.
   */
  constructor(targets: readonly Target[], { clients, pause }: { clients: number; pause: number }) {
    this.#clients = targets.flatMap((target) =>
      Array.from({ length: clients }, (_, index) => this.#run(target, pause, index / clients)),
    )
  }

  /** The number of successful requests. */
  get count(): number {
    return Object.values(this.done).reduce((sum, count) => sum + count)
  }

  /** Stops the clients. Resolves when running requests have ended and each client has sent each kind at least once. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#clients)
  }

  async #run(target: Target, pause: number, phase: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const url = (path: string) => target.mode.prefix + path
    const client: Client = {
      target,
      url,
      ask: (path, ask) => send(target.origin, url(path), { ...ask, agent }),
    }
    const first = Math.floor(phase * ROUND.length)
    for (let at = first; !this.#stopped || at < first + ROUND.length; at++) {
      const kind = ROUND[at % ROUND.length]!
      try {
        await KINDS[kind]!(client)
        this.done[kind]!++
      } catch (error) {
        this.#fail(target.name, kind, error)
      }
      await setTimeout(pause)
    }
    agent.destroy()
  }

  #fail(target: string, kind: string, error: unknown): void {
    this.failed++
    const at = (performance.now() - this.#start) / 1000
    if (this.failures.length < 100) this.failures.push({ target, kind, at, error: String(error) })
  }
}

function expectSame(found: string, expected: string): void {
  if (found !== expected) throw new Error(`${found.slice(0, 200)} where ${expected} was expected`)
}

function randomLength(most: number): number {
  return Math.floor(Math.random() * most)
}
