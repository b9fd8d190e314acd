import type { ServerKind } from './finding.ts'
import type { FrontClient, FrontRequest, FrontResponse } from './front-client.ts'
import { type Echo, PROBE_REQUEST_HEADER, type ProbeAction, parseEcho } from './probe.ts'

/** The result of a request to the probe through the front server. */
export interface ProbeResult {
  response: FrontResponse
  /** What the probe received. Undefined: something else responded. */
  echo: Echo | undefined
  /** The params that the probe received, the last of each name. Empty if it received none. */
  params: ReadonlyMap<string, string>
}

/** A front server that is being examined, and that forwards requests to the probe. */
export interface Examination {
  url: URL
  /** The path under which the app is mounted, from the examined URL: `''` or `/shop`. */
  prefix: string
  server: ServerKind
  /** The result of {@link PLAIN}. Every check may use it. */
  plain: ProbeResult
  /** The result of {@link POST}. */
  form: ProbeResult
  /** The Authorization header that `plain` was sent with. */
  authorization: string
  /** The size of a request body that must reach the app, in bytes. */
  upload: number
  /** Sends a request to the probe through the front server. `path` is below the prefix. */
  send(request: FrontRequest & { action?: ProbeAction }): Promise<ProbeResult>
}

/** The path of {@link PLAIN}, below the prefix. Its encoded and decoded forms differ. */
export const PLAIN_PATH = '/doctor/a%20b'
/** The query of {@link PLAIN}. */
export const PLAIN_QUERY = 'x=%2F1&y'
/** The body of {@link POST}. */
export const FORM = 'name=doctor'

/** Sends requests to the probe through a front server. */
export class ProbeClient {
  readonly #front: FrontClient
  readonly #prefix: string
  readonly #token: string

  constructor(front: FrontClient, prefix: string, token: string) {
    this.#front = front
    this.#prefix = prefix
    this.#token = token
  }

  async send({
    action = 'echo',
    headers = [],
    ...request
  }: FrontRequest & { action?: ProbeAction }): Promise<ProbeResult> {
    const all = [PROBE_REQUEST_HEADER, `${this.#token} ${action}`, ...headers]
    const response = await this.#front.send({ ...request, path: this.#prefix + request.path, headers: all })
    const echo = parseEcho(response.text)
    return { response, echo, params: new Map(echo?.params) }
  }
}

/** A plain GET. It has headers that a front server should not pass on to the app: Proxy, and one with an underscore. */
export const PLAIN: FrontRequest = {
  path: `${PLAIN_PATH}?${PLAIN_QUERY}`,
  headers: ['Proxy', 'http://doctor.invalid/', 'X_Doctor', '1'],
}

/** A POST of a form. */
export const POST: FrontRequest = {
  method: 'POST',
  path: '/doctor/form',
  headers: ['Content-Type', 'application/x-www-form-urlencoded'],
  body: Buffer.from(FORM),
}
