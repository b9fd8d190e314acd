import type { Pool } from '../master/pool.ts'
import type { PoolStatus } from '../status.ts'
import { CONTENT_TYPES, type Format } from './exposition.ts'
import { type FpmContext, fpmStatus, fpmText } from './fpm-status.ts'
import { listenQueue } from './listen-queue.ts'
import { formatMetrics } from './metrics.ts'

/** A response of the status server. */
export interface Page {
  status: number
  type: string
  body: string
}

/** The program that the workers of a pool run. */
export interface MonitoredProgram {
  name: string
  path: string
  /** The backlog of the pool's sockets, if the options give one. */
  backlog?: number | undefined
}

const TEXT = 'text/plain; charset=utf-8'
const NAMES = ['/status', '/metrics', '/ping', '/health']

/**
 * The pages of a pool for monitoring. Only the last segment of the path counts, so that a front server can pass any location on:
 *
 * - `status`: the fields of PHP-FPM's status page. `?json` as JSON, `?full` with the workers, `?openmetrics` the metrics
 * - `metrics`: the metrics, in the format that the client accepts
 * - `ping`: `pong`, even if no worker is ready
 * - `health`: 200 if a worker is ready and the pool does not close, otherwise 503
 */
export class Pages {
  readonly #pool: Pool
  readonly #program: MonitoredProgram
  readonly #version: string
  #maxQueue = 0

  /** `version` is that of this package. */
  constructor(pool: Pool, program: MonitoredProgram, version: string) {
    this.#pool = pool
    this.#program = program
    this.#version = version
  }

  /** Returns the page for a request. `target` is path and query, `accept` is the header of that name. */
  pageFor(target: string, accept: string | undefined): Page {
    const [path = '', query = ''] = target.split('?', 2)
    switch (path.slice(path.lastIndexOf('/'))) {
      case '/status':
        return this.#status(new Set(query.split('&')))
      case '/metrics':
        return this.#metrics(accept?.includes('application/openmetrics-text') ? 'openmetrics' : 'text')
      case '/ping':
        return { status: 200, type: TEXT, body: 'pong\n' }
      case '/health':
        return health(this.#pool.status())
      default:
        return {
          status: 404,
          type: TEXT,
          body: `There is no such page. The pages are ${NAMES.join(', ')}.\n`,
        }
    }
  }

  #status(flags: ReadonlySet<string>): Page {
    if (flags.has('openmetrics')) return this.#metrics('openmetrics')
    const status = this.#pool.status()
    const { fields, processes } = fpmStatus(status, this.#context(status))
    const isFull = flags.has('full')
    if (!flags.has('json')) return { status: 200, type: TEXT, body: fpmText(fields, isFull ? processes : []) }
    const body = JSON.stringify(isFull ? { ...fields, processes } : fields)
    return { status: 200, type: 'application/json', body: `${body}\n` }
  }

  #metrics(format: Format): Page {
    const status = this.#pool.status()
    const { queue } = this.#context(status)
    return {
      status: 200,
      type: CONTENT_TYPES[format],
      body: formatMetrics(status, this.#version, queue, format),
    }
  }

  #context({ addresses }: PoolStatus): FpmContext {
    const { name, path, backlog } = this.#program
    const queue = listenQueue(addresses, backlog)
    this.#maxQueue = Math.max(this.#maxQueue, queue?.waiting ?? 0)
    return { name, script: path, queue, maxQueue: this.#maxQueue }
  }
}

function health({ state, workers, wanted }: PoolStatus): Page {
  const ready = workers.filter((worker) => worker.state === 'ready').length
  const isHealthy = ready > 0 && state !== 'leaving' && state !== 'closing'
  return {
    status: isHealthy ? 200 : 503,
    type: TEXT,
    body: `${state}: ${ready} of ${wanted} workers ready\n`,
  }
}
