import type { SocketAddress } from '@fcgi-bridge/client/address'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { parseAppAddress } from './app-address.ts'
import { parseDuration } from './duration.ts'
import { parseMemory } from './size.ts'

/** The values of the flags that {@link addPoolFlags} adds. Times are milliseconds, sizes bytes. */
export interface PoolFlags {
  workers?: number | 'auto'
  perWorkerSockets?: boolean
  maxRequests?: number
  maxMemory?: number
  maxAge?: number
  startTimeout?: number
  stopTimeout?: number
  stuckTimeout?: number
  drainDelay?: number
  slow?: number
  control?: string
  status?: SocketAddress
  statusHttp?: SocketAddress
  restartFile?: string[]
}

/** How the flags are named on the command line, without `--workers` itself. */
const WITH_WORKERS = {
  perWorkerSockets: '--per-worker-sockets',
  maxRequests: '--max-requests',
  maxMemory: '--max-memory',
  maxAge: '--max-age',
  startTimeout: '--start-timeout',
  stopTimeout: '--stop-timeout',
  stuckTimeout: '--stuck-timeout',
  slow: '--slow',
  control: '--control',
  status: '--status',
  statusHttp: '--status-http',
} as const satisfies Partial<Record<keyof PoolFlags, string>>

/** Adds `--workers` and the flags of the process manager. */
export function addPoolFlags(command: Command): Command {
  return command
    .option(
      '--workers <number>',
      'run the app in this many processes, or auto: one for each processor (default: WEB_CONCURRENCY, else one process and no master)',
      parseWorkers,
    )
    .option(
      '--per-worker-sockets',
      'a socket for each worker: %i in --path is its number from 0, and --port counts up',
    )
    .option('--max-requests <number>', 'replace a worker after about this many requests', parseCount)
    .option(
      '--max-memory <size>',
      'replace a worker whose resident memory exceeds this, such as 512m',
      parseMemory,
    )
    .option('--max-age <time>', 'replace a worker after about this time, such as 12h', parseDuration)
    .option('--start-timeout <time>', 'how long a worker may take to listen (default: 30s)', parseDuration)
    .option('--stop-timeout <time>', 'how long a worker may take to drain (default: 30s)', parseDuration)
    .option(
      '--stuck-timeout <time>',
      'replace a worker whose event loop is blocked for this long; 0 turns it off (default: 30s)',
      parseDuration,
    )
    .option(
      '--slow <time>',
      'log requests that run for longer, and what blocks the event loop for longer; 0 turns it off (default: 5s)',
      parseDuration,
    )
    .addOption(
      new Option('--control <socket>', 'Unix socket for fcgi-bridge reload, status and stop').env(
        'FCGI_BRIDGE_CONTROL',
      ),
    )
    .option(
      '--status <address>',
      'serve /status, /metrics, /ping and /health of the workers over FastCGI: 127.0.0.1:9001 or a path',
      parseAppAddress,
    )
    .option('--status-http <address>', 'the same over HTTP, for Prometheus', parseAppAddress)
}

/**
 * The number of workers: `--workers`, else the variable WEB_CONCURRENCY. Undefined if the app runs in this process, as it always does
 * in a CGI environment. Ends the program if another of the flags is given without workers.
 */
export function workersOf(
  command: Command,
  flags: PoolFlags,
  env: NodeJS.ProcessEnv = process.env,
): number | 'auto' | undefined {
  const workers = wantedWorkers(command, flags, env)
  if (workers !== undefined) return workers
  for (const [name, flag] of Object.entries(WITH_WORKERS) as [keyof typeof WITH_WORKERS, string][]) {
    // The environment may name a control socket for all programs.
    const isGiven = command.getOptionValueSource(name) === 'cli'
    if (isGiven) command.error(`error: ${flag} needs --workers`)
  }
  return undefined
}

/** The number of workers from `--workers` or WEB_CONCURRENCY. Undefined if neither gives it. */
export function wantedWorkers(
  command: Command,
  { workers }: PoolFlags,
  env: NodeJS.ProcessEnv = process.env,
): number | 'auto' | undefined {
  if (workers !== undefined) return workers
  if (!env.WEB_CONCURRENCY || env.GATEWAY_INTERFACE !== undefined) return undefined
  try {
    return parseWorkers(env.WEB_CONCURRENCY)
  } catch {
    return command.error(
      `error: WEB_CONCURRENCY is '${env.WEB_CONCURRENCY}'. It takes a number of workers, or auto.`,
    )
  }
}

/** Parses a number of workers, 1 to 1024, or `auto`. Throws InvalidArgumentError. */
export function parseWorkers(text: string): number | 'auto' {
  if (text === 'auto') return text
  const workers = parseCount(text)
  if (workers < 1 || workers > 1024)
    throw new InvalidArgumentError('It takes a number from 1 to 1024, or auto.')
  return workers
}

function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It takes a number.')
  return Number(text)
}
