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

/** Options of a request, in addition to its route. */
interface RequestOptions extends BeginOptions {
  /** Default: POST if there is a body, else GET. */
  method?: string
  /** The request body, sent as STDIN. CONTENT_LENGTH is set to its length. */
  body?: string
  /** Params to add or replace. */
  params?: Readonly<Record<string, string>>
}

/** How to connect to a server and send it requests. */
export interface ServerOptions {
  address: Address
  /** The path of the app's routes, sent as SCRIPT_NAME, such as `/conformance.php`. Empty for the root. */
  base: string
  /** More params that this server needs, such as SCRIPT_FILENAME for PHP-FPM. */
  params: Readonly<Record<string, string>>
  /** The time limit of each wait, in milliseconds. */
  timeout: number
}

/** The request of {@link Server.probe}, and the expected response body. */
const PROBE = { route: '/bytes/10', body: '0123456789' }

/** The server under test. */
export class Server {
  readonly #options: ServerOptions
  #connections: Connection[] = []
  /** Its response to GET_VALUES. Empty if it did not respond. */
  values: Readonly<Record<string, string>> = {}

  constructor(options: ServerOptions) {
    this.#options = options
  }

  get timeout(): number {
    return this.#options.timeout
  }

  /** Opens a connection. {@link closeConnections} closes it. */
  async connect(): Promise<Connection> {
    const connection = await Connection.open(this.#options.address, this.#options.timeout)
    this.#connections.push(connection)
    return connection
  }

  /** Closes all connections. */
  closeConnections(): void {
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
  beginAndParams(id: number, route: string, options: RequestOptions = {}): Buffer {
    return bytes(begin(id, options), wholeStream(TYPES.PARAMS, id, pairs(this.params(route, options))))
  }

  /** The bytes of a whole request. */
  request(id: number, route: string, options: RequestOptions = {}): Buffer {
    return bytes(this.beginAndParams(id, route, options), wholeStream(TYPES.STDIN, id, options.body))
  }

  /**
   * Throws `NotApplicable` unless the server reports that it multiplexes: that it processes several requests on one connection at the
   * same time (sections 3.3 and 4.1).
   */
  requireMultiplexing(): void {
    const { FCGI_MPXS_CONNS: multiplexes } = this.values
    if (multiplexes === '1') return
    throw new NotApplicable(
      multiplexes === undefined
        ? 'the server does not report whether it multiplexes (GET_VALUES, FCGI_MPXS_CONNS)'
        : `the server does not multiplex (FCGI_MPXS_CONNS=${multiplexes})`,
    )
  }

  /** Sends GET_VALUES with these names, and returns the values. */
  async getValues(...names: string[]): Promise<Record<string, string>> {
    const connection = await this.connect()
    connection.write(record(TYPES.GET_VALUES, 0, bytes(...names.map((name) => pair(name, '')))))
    return readValues(connection)
  }

  /** Sends a plain request. Throws `Unmet` if the response is not the expected one. */
  async probe(): Promise<void> {
    const connection = await this.connect()
    connection.write(this.request(1, PROBE.route))
    await connection.expectOk(1, PROBE.body)
  }
}

/** Waits for a GET_VALUES_RESULT, and returns its values. */
export async function readValues(connection: Connection): Promise<Record<string, string>> {
  const expected = 'a GET_VALUES_RESULT'
  const { content } = await connection.until(
    () => connection.recordsOf(TYPES.GET_VALUES_RESULT, 0)[0],
    expected,
  )
  try {
    return Object.fromEntries(readPairs(content))
  } catch {
    throw connection.unmet('complete name-value pairs in GET_VALUES_RESULT', content.toString('hex'))
  }
}
