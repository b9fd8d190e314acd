import { NotApplicable } from './verdict.ts'
import {
  type BeginOptions,
  begin,
  bytes,
  type Pair,
  pair,
  pairs,
  readPairs,
  record,
  TYPES,
  wholeStream,
} from './wire/bytes.ts'
import { type Address, Connection } from './wire/connection.ts'

/** What is asked, beside the route. */
export interface RequestOptions extends BeginOptions {
  /** Default: POST where there is a body, else GET. */
  method?: string
  /** Sent as STDIN; CONTENT_LENGTH is its length. */
  body?: string
  /** Params that are added, or put in the place of others. */
  params?: Readonly<Record<string, string>>
}

/** How a server is reached. */
export interface ServerOptions {
  address: Address
  /** Where the app's routes begin: SCRIPT_NAME, such as `/conformance.php`; empty for the root. */
  base: string
  /** Params that this server needs beside the usual ones, such as SCRIPT_FILENAME for PHP-FPM. */
  params: Readonly<Record<string, string>>
  /** How long anything is waited for, in milliseconds. */
  timeout: number
}

/** What {@link Server.probe} asks for, and what an app answers. */
const PROBE = { route: '/bytes/10', body: '0123456789' }

/** The server under test, as the checks see it. */
export class Server {
  readonly #options: ServerOptions
  #connections: Connection[] = []
  /** What it said to GET_VALUES; empty where it did not. */
  values: Readonly<Record<string, string>> = {}

  constructor(options: ServerOptions) {
    this.#options = options
  }

  get timeout(): number {
    return this.#options.timeout
  }

  /** A new connection, which {@link release} ends. */
  async connect(): Promise<Connection> {
    const connection = await Connection.open(this.#options.address, this.#options.timeout)
    this.#connections.push(connection)
    return connection
  }

  /** Ends all connections. */
  release(): void {
    for (const connection of this.#connections.splice(0)) connection.destroy()
  }

  /** The params of a request, as name-value pairs in order. */
  params(
    route: string,
    { body, method = body === undefined ? 'GET' : 'POST', params = {} }: RequestOptions = {},
  ): Pair[] {
    const { base } = this.#options
    const list = {
      GATEWAY_INTERFACE: 'CGI/1.1',
      SERVER_SOFTWARE: 'fcgi-bridge-conformance',
      REQUEST_METHOD: method,
      SCRIPT_NAME: base,
      PATH_INFO: route,
      REQUEST_URI: base + route,
      QUERY_STRING: '',
      SERVER_PROTOCOL: 'HTTP/1.1',
      SERVER_NAME: 'front.test',
      SERVER_PORT: '80',
      HTTP_HOST: 'front.test',
      REMOTE_ADDR: '192.0.2.7',
      REMOTE_PORT: '40000',
      ...(body !== undefined && {
        CONTENT_LENGTH: String(body.length),
        CONTENT_TYPE: 'application/octet-stream',
      }),
      ...this.#options.params,
      ...params,
    }
    return Object.entries(list)
  }

  /** The bytes of BEGIN_REQUEST and PARAMS. */
  head(id: number, route: string, options: RequestOptions = {}): Buffer {
    return bytes(begin(id, options), wholeStream(TYPES.PARAMS, id, pairs(this.params(route, options))))
  }

  /** The bytes of a whole request. */
  request(id: number, route: string, options: RequestOptions = {}): Buffer {
    return bytes(this.head(id, route, options), wholeStream(TYPES.STDIN, id, options.body))
  }

  /** For checks that need two requests on one connection at once (section 3.2). */
  requireMultiplexing(): void {
    const { FCGI_MPXS_CONNS: multiplexes } = this.values
    if (multiplexes === '1') return
    throw new NotApplicable(
      multiplexes === undefined
        ? 'it does not say whether it multiplexes (GET_VALUES, FCGI_MPXS_CONNS)'
        : `it does not multiplex (FCGI_MPXS_CONNS=${multiplexes})`,
    )
  }

  /** Asks for `names` with GET_VALUES, and gives what comes. */
  async askValues(...names: string[]): Promise<Record<string, string>> {
    const connection = await this.connect()
    connection.write(record(TYPES.GET_VALUES, 0, bytes(...names.map((name) => pair(name, '')))))
    return valuesFrom(connection)
  }

  /** Makes one plain request. Throws `Unmet` where it is not served. */
  async probe(): Promise<void> {
    const connection = await this.connect()
    connection.write(this.request(1, PROBE.route))
    await connection.served(1, PROBE.body)
  }
}

/** Waits for a GET_VALUES_RESULT, and gives what it holds. */
export async function valuesFrom(connection: Connection): Promise<Record<string, string>> {
  const expected = 'a GET_VALUES_RESULT'
  const { content } = await connection.until(
    () => connection.recordsOf(TYPES.GET_VALUES_RESULT, 0)[0],
    expected,
  )
  try {
    return Object.fromEntries(readPairs(content))
  } catch {
    throw connection.unmet('whole name-value pairs in GET_VALUES_RESULT', content.toString('hex'))
  }
}
