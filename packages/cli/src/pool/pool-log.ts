import type { BlockedReport, Pool, Reason, RunningRequest, WorkerEnd, WorkerStatus } from '@fcgi-bridge/pool'
import { formatDuration } from '../duration.ts'
import { type Output, printable, printJson } from '../terminal.ts'

// The maximum number of lines about slow requests in a minute. A database that hangs makes all requests slow.
const SLOW_LINES = 10
const MINUTE = 60_000

/** The reason why a worker is replaced, for the message `Worker … is replaced: REASON.` */
const REPLACED: Partial<Record<Reason, (worker: WorkerStatus) => string>> = {
  requests: ({ requests }) => `it has had ${requests} requests`,
  memory: ({ rss }) => `it has ${Math.round(rss / 1024 / 1024)} MiB of memory`,
  age: ({ startTime }) => `it was started at ${startTime.toISOString()}`,
}

const KILLED: Partial<Record<Reason, string>> = {
  stuck: 'its event loop is blocked (--stuck-timeout)',
  'start-timeout': 'it did not listen in time (--start-timeout)',
  'stop-timeout': 'it did not drain in time (--stop-timeout)',
}

/** Logs what happens in a pool on standard error, or with `json` as `{ "pool": { "time", "event", … } }` on standard output. */
export function logPool(pool: Pool, json: boolean, output: Output = process.stderr): void {
  const log = (event: string, fields: object, text?: string): void => {
    if (json) printJson({ pool: { time: new Date().toISOString(), event, ...fields } })
    else if (text !== undefined) output.write(`${text}\n`)
  }
  const slowLines = new LineLimit(SLOW_LINES, MINUTE)

  pool.on('start', (worker) => log('start', short(worker)))
  pool.on('ready', (worker) => log('ready', short(worker)))
  pool.on('drain', (worker, reason) => {
    const why = REPLACED[reason]?.(worker)
    log('drain', { ...short(worker), reason }, why && `${nameOf(worker)} is replaced: ${why}.`)
  })
  pool.on('kill', (worker, reason) => {
    const why = KILLED[reason]
    log('kill', { ...short(worker), reason }, why && `${nameOf(worker)} is killed: ${why}.`)
  })
  pool.on('exit', (worker, end) => log('exit', { ...short(worker), ...endOf(end) }, crashOf(worker, end)))
  pool.on('reload', (error) =>
    log('reload', error === undefined ? {} : { error: error.message }, error?.message ?? 'Reloaded.'),
  )
  pool.on('warning', (message) => log('warning', { message }, message))
  pool.on('blocked', (worker, report) =>
    log('blocked', { ...short(worker), ...report }, blockedText(worker, report)),
  )
  pool.on('slow', (worker, requests) => {
    const lines = requests.filter(() => slowLines.take()).map((one) => `  ${requestText(one)}`)
    const text = `${nameOf(worker)} has slow requests:\n${lines.join('\n')}`
    log('slow', { ...short(worker), requests }, lines.length > 0 ? text : undefined)
  })
}

function short({ slot, pid, reason }: WorkerStatus): object {
  return { worker: slot, pid, startedFor: reason }
}

function nameOf({ slot, pid }: WorkerStatus): string {
  return `Worker ${slot} (pid ${pid})`
}

function endOf({ code, signal, reason, lifetime }: WorkerEnd): object {
  return { code, signal, reason, lifetime: Math.round(lifetime) }
}

// Other ends were logged before, when the worker was drained or killed.
function crashOf(
  worker: WorkerStatus,
  { reason, code, signal, lifetime, error }: WorkerEnd,
): string | undefined {
  if (reason !== 'crash') return undefined
  const how = error?.message ?? (signal === null ? `with status ${code}` : `by ${signal}`)
  return `${nameOf(worker)} ended ${how} after ${formatDuration(lifetime)}.`
}

function blockedText(worker: WorkerStatus, { blocked, stack, requests }: BlockedReport): string {
  const at = stack.length === 0 ? ['    in native code'] : stack.map((frame) => `    at ${printable(frame)}`)
  const running = requests.map((one) => `  ${requestText(one)}`)
  return [
    `${nameOf(worker)}: the event loop has been blocked for ${formatDuration(blocked)}.`,
    ...at,
    ...running,
  ].join('\n')
}

function requestText({ method = '?', target = '?', remoteAddress = '-', age }: RunningRequest): string {
  return printable(`${method} ${target} from ${remoteAddress} has run for ${formatDuration(age)}`)
}

/** Limits the number of lines in a period. */
class LineLimit {
  readonly #max: number
  readonly #period: number
  #since = Number.NEGATIVE_INFINITY
  #count = 0

  constructor(max: number, period: number) {
    this.#max = max
    this.#period = period
  }

  /** Whether one more line may be written. */
  take(): boolean {
    const now = performance.now()
    if (now - this.#since >= this.#period) {
      this.#since = now
      this.#count = 0
    }
    return this.#count++ < this.#max
  }
}
