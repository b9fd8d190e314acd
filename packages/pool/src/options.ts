import { availableParallelism } from 'node:os'
import type { ListenOptions } from '@fcgi-bridge/core'
import { checkOptions, checkPlace, LISTEN_OPTION_NAMES } from '@fcgi-bridge/core/manager'

/** Options of a pool. Times are milliseconds, sizes bytes. */
export interface PoolOptions {
  /**
   * The program that each worker runs, as `node script` would: a path. It calls `serve(app)` of an adapter without an address, and
   * so gets the pool's sockets.
   */
  script: string
  /** The program's arguments. */
  args?: readonly string[]
  /** Node's own flags, such as `['--enable-source-maps']`. Default: those of this process, without `--inspect` and `--eval`. */
  execArgv?: readonly string[]
  /** The workers' environment. Default: this process's. */
  env?: NodeJS.ProcessEnv
  /** The workers' working directory. Default: this process's. */
  cwd?: string
  /** The number of workers, or `'auto'` for one for each processor (`os.availableParallelism()`). Default 1. */
  workers?: number | 'auto'
  /**
   * Where the pool listens. Default: the sockets that systemd or a front server passed to this process, or the address in
   * FCGI_BRIDGE_LISTEN.
   */
  listen?: ListenOptions | readonly ListenOptions[]
  /**
   * Each worker has its own sockets instead of sharing them: `%i` in a path is the worker's number from 0, and a port counts up
   * from `port`. The front server then balances the load. Default false.
   */
  perWorkerSockets?: boolean
  /** How many workers may run in addition to `workers` while some are replaced. Default: 1. */
  maxSurge?: number
  /** How long a worker may take until its program listens; default 30 s. 0 is no limit. */
  startTimeout?: number
  /**
   * How long a worker may take to drain; default 30 s. Then it is killed. Keep it above the program's own `drainTimeout`. 0 is no
   * limit.
   */
  stopTimeout?: number
  /**
   * How long `close()` waits before it drains the workers; default 0. Meanwhile the health path responds with 503, and all requests are
   * served: time for a load balancer to notice.
   */
  drainDelay?: number
  /**
   * A worker whose event loop has not turned for this long is replaced and killed, at most 2 s later; default 30 s. It must exceed the
   * longest synchronous work of the app. 0 turns it off.
   */
  stuckTimeout?: number
  /** A worker is replaced after about this many requests (±10 %); default 0, none. */
  maxRequests?: number
  /** A worker is replaced when its resident memory exceeds this; default 0, none. At most one in a minute is replaced for this reason. */
  maxMemory?: number
  /** A worker is replaced after about this time (±10 %); default 0, none. */
  maxAge?: number
  /**
   * Requests that run for longer are reported by the event `slow`, and an event loop that is blocked for longer by `blocked`, with
   * its call stack; default 5 s. 0 turns both off.
   */
  slowAfter?: number
  /**
   * Whether workers measure what monitoring shows: responses by status, durations, connections, processor time. `status()` then has
   * `monitoring`. Default false, because each heartbeat costs more.
   */
  monitored?: boolean
}

/** {@link PoolOptions} with every default filled in, except where the sockets come from. */
export interface PoolSettings extends Required<Omit<PoolOptions, 'workers' | 'listen' | 'cwd'>> {
  readonly workers: number
  readonly listen: readonly ListenOptions[] | undefined
  readonly cwd: string | undefined
}

const NAMES: readonly string[] = Object.keys({
  script: true,
  args: true,
  execArgv: true,
  env: true,
  cwd: true,
  workers: true,
  listen: true,
  perWorkerSockets: true,
  maxSurge: true,
  startTimeout: true,
  stopTimeout: true,
  drainDelay: true,
  stuckTimeout: true,
  maxRequests: true,
  maxMemory: true,
  maxAge: true,
  slowAfter: true,
  monitored: true,
} satisfies Record<keyof PoolOptions, true>)

/** The options that are numbers of 0 or more. */
const NUMBERS = [
  'startTimeout',
  'stopTimeout',
  'drainDelay',
  'stuckTimeout',
  'maxRequests',
  'maxMemory',
  'maxAge',
  'slowAfter',
] as const

/** Fills in the defaults. Throws a TypeError for an unknown option or a wrong type, and a RangeError for a value out of range. */
export function resolveOptions(options: PoolOptions): PoolSettings {
  const unknown = Object.keys(options ?? {}).find((name) => !NAMES.includes(name))
  if (unknown !== undefined) {
    throw new TypeError(`There is no option '${unknown}'. The options are ${NAMES.join(', ')}.`)
  }
  const { script, workers = 1, listen, perWorkerSockets = false } = options ?? {}
  if (typeof script !== 'string' || script === '') {
    throw new TypeError(`The option script is ${String(script)}; it takes the path of the workers' program.`)
  }
  const addresses = listen === undefined ? undefined : [listen].flat()
  if (addresses?.length === 0)
    throw new TypeError('The option listen is empty. Leave it out, or name an address.')
  if (addresses?.some(({ reusePort }) => reusePort)) {
    throw new TypeError(
      'The option reusePort has no use in a pool, whose workers share one socket. Remove it.',
    )
  }
  for (const address of addresses ?? []) {
    checkOptions(address, LISTEN_OPTION_NAMES)
    checkPlace(address)
  }
  if (perWorkerSockets) checkPerWorker(addresses)
  const settings: PoolSettings = {
    script,
    args: options.args ?? [],
    execArgv: options.execArgv ?? inheritableFlags(process.execArgv),
    env: options.env ?? process.env,
    cwd: options.cwd,
    workers: workers === 'auto' ? availableParallelism() : workers,
    listen: addresses,
    perWorkerSockets,
    maxSurge: options.maxSurge ?? 1,
    startTimeout: options.startTimeout ?? 30_000,
    stopTimeout: options.stopTimeout ?? 30_000,
    drainDelay: options.drainDelay ?? 0,
    stuckTimeout: options.stuckTimeout ?? 30_000,
    maxRequests: options.maxRequests ?? 0,
    maxMemory: options.maxMemory ?? 0,
    maxAge: options.maxAge ?? 0,
    slowAfter: options.slowAfter ?? 5000,
    monitored: options.monitored ?? false,
  }
  for (const name of NUMBERS) {
    const value: unknown = settings[name]
    if (typeof value !== 'number' || !(value >= 0) || value > Number.MAX_SAFE_INTEGER) {
      throw new RangeError(`The option ${name} is ${String(value)}; it takes a number of at least 0.`)
    }
  }
  checkCount('workers', settings.workers)
  checkCount('maxSurge', settings.maxSurge)
  return settings
}

const EVAL: readonly string[] = ['-e', '--eval', '-p', '-pe', '--print']

/**
 * The flags of this process that its workers get. They cannot share the debugger's port. With the code of `node --eval`, each worker would run
 * this program, and start workers of its own.
 */
export function inheritableFlags(execArgv: readonly string[]): string[] {
  return execArgv.filter((flag, index) => {
    const isOfEval = EVAL.includes(flag) || EVAL.includes(execArgv[index - 1] ?? '')
    return !isOfEval && !/^--(?:inspect|input-type)/.test(flag)
  })
}

/** Throws a RangeError unless `count` can be a number of workers. */
export function checkCount(name: string, count: unknown): asserts count is number {
  if (Number.isInteger(count) && (count as number) >= 1 && (count as number) <= 1024) return
  throw new RangeError(`The option ${name} is ${String(count)}; it takes an integer from 1 to 1024.`)
}

function checkPerWorker(addresses: readonly ListenOptions[] | undefined): void {
  if (addresses === undefined) {
    throw new TypeError('The option perWorkerSockets needs the option listen.')
  }
  for (const { path, port, fd } of addresses) {
    if (fd !== undefined) {
      throw new TypeError('The option perWorkerSockets needs a port or a path: one descriptor is one socket.')
    }
    if (path !== undefined && !path.includes('%i')) {
      throw new TypeError(
        `The option listen is ${path}; with perWorkerSockets it needs %i, as in /run/app.%i.sock.`,
      )
    }
    if (port === 0)
      throw new RangeError('The option port is 0; with perWorkerSockets it takes the first port.')
  }
}
