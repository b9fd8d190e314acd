import type { ServerKind } from './finding.ts'
import type { Answer, Ask, FrontClient } from './front-client.ts'
import { type Echo, PROBE_HEADER, type ProbeAction, parseEcho } from './probe.ts'

/** What a request came to: the answer, and what the probe was sent, where it was the probe that answered. */
export interface Seen {
  answer: Answer
  echo: Echo | undefined
  /** The params that came, the last of each name. Empty where the probe got nothing. */
  params: ReadonlyMap<string, string>
}

/** A front server under examination, with the probe behind it. */
export interface Examination {
  url: URL
  /** What the paths of the app begin with, as the URL says: `''`, or `/shop`. */
  prefix: string
  server: ServerKind
  /** What a plain GET came to: every check may look at it. */
  plain: Seen
  /** What a POST with {@link FORM} came to. */
  form: Seen
  /** The Authorization header that it was sent with. */
  authorization: string
  /** Bytes that an upload is to be able to have. */
  upload: number
  /** Sends a request to the probe; `path` is below the prefix. */
  ask(ask: Ask & { action?: ProbeAction }): Promise<Seen>
}

/** The path of the plain GET, below the prefix: encoded and decoded it is not the same. */
export const PLAIN_PATH = '/doctor/a%20b'
/** Its query. */
export const PLAIN_QUERY = 'x=%2F1&y'
/** The body of the POST. */
export const FORM = 'name=doctor'

/** Asks the probe behind a front server. */
export class Asker {
  readonly #front: FrontClient
  readonly #prefix: string
  readonly #token: string

  constructor(front: FrontClient, prefix: string, token: string) {
    this.#front = front
    this.#prefix = prefix
    this.#token = token
  }

  async ask({ action = 'echo', headers = [], ...ask }: Ask & { action?: ProbeAction }): Promise<Seen> {
    const all = [PROBE_HEADER, `${this.#token} ${action}`, ...headers]
    const answer = await this.#front.send({ ...ask, path: this.#prefix + ask.path, headers: all })
    const echo = parseEcho(answer.text)
    return { answer, echo, params: new Map(echo?.params) }
  }
}

/** The plain GET that every check may look at, with headers that front servers like to keep, and some that they should. */
export const PLAIN: Ask = {
  path: `${PLAIN_PATH}?${PLAIN_QUERY}`,
  headers: ['Proxy', 'http://doctor.invalid/', 'X_Doctor', '1'],
}

/** The POST. */
export const POST: Ask = {
  method: 'POST',
  path: '/doctor/form',
  headers: ['Content-Type', 'application/x-www-form-urlencoded'],
  body: Buffer.from(FORM),
}
