import { Measurements } from './measurements.ts'
import {
  isPoolMessage,
  LISTEN_FDS_START,
  type WorkerConfig,
  type WorkerMessage,
  type WorkerStats,
} from './messages.ts'
import { queuesEmptied } from './queue.ts'
import { listenOnCopies, watchListening } from './readiness.ts'
import { RequestLog } from './requests.ts'
import { startWatchdog } from './watchdog.ts'

/** Connects this process to its pool: readiness, heartbeats, limits, and its end with the master. */
export function startWorker(config: WorkerConfig): void {
  const { sockets, heartbeatInterval, maxRequests, slowAfter } = config
  // The master could not know this process's id before it started it.
  process.env.LISTEN_PID = String(process.pid)
  process.env.LISTEN_FDS = String(sockets)
  // The signals of the master reach the whole process group if a terminal sends them. They must not end a worker.
  for (const signal of ['SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => {})
  // `serve` drains before the program ends: the master can start a replacement meanwhile.
  process.on('uncaughtExceptionMonitor', () => {
    if (process.listenerCount('uncaughtException') === 0) tell({ fcgiBridgePool: 'failing' })
  })

  const requests = new RequestLog((count) => {
    if (count === maxRequests) tell({ fcgiBridgePool: 'exhausted' })
  })
  const measurements = config.monitored ? new Measurements() : undefined
  const statsOf = (delay: number): WorkerStats => ({
    requests: requests.count,
    active: requests.active,
    rss: process.memoryUsage.rss(),
    delay: Math.round(delay),
    ...(measurements !== undefined && { details: measurements.take(requests.oldest) }),
  })

  if (config.copiesAt !== undefined) {
    const copies = { first: config.copiesAt, count: sockets, backlog: config.backlog }
    listenOnCopies(copies, () => tell({ fcgiBridgePool: 'listening' }))
  }
  const beat = startWatchdog(config, () => requests.running())
  const descriptors = Array.from({ length: sockets }, (_, index) => LISTEN_FDS_START + index)
  const servers = watchListening(descriptors, {
    onReady: () => {
      // From now on a blocked event loop is reported.
      beat()
      tell({ fcgiBridgePool: 'ready', stats: statsOf(0) })
    },
    onElsewhere: (address) => tell({ fcgiBridgePool: 'elsewhere', address }),
  })

  const end = async (): Promise<void> => {
    await queuesEmptied(servers)
    process.kill(process.pid, 'SIGTERM')
  }
  process.on('message', (message) => {
    if (isPoolMessage(message) && message.fcgiBridgePool === 'stop') void end()
  })
  // Without its master a worker drains and exits, and the socket is gone with the last one.
  process.once('disconnect', () => void end())
  // The program ends when it has nothing left to do.
  process.channel?.unref()

  // The requests since the last heartbeat count, too.
  process.on('exit', () => tell({ fcgiBridgePool: 'heartbeat', stats: statsOf(0) }))
  let expected = performance.now() + heartbeatInterval
  setInterval(() => {
    const now = performance.now()
    beat()
    tell({ fcgiBridgePool: 'heartbeat', stats: statsOf(Math.max(0, now - expected)) })
    expected = now + heartbeatInterval
    const slow = slowAfter > 0 ? requests.takeSlow(slowAfter) : []
    if (slow.length > 0) tell({ fcgiBridgePool: 'slow', requests: slow })
  }, heartbeatInterval).unref()
}

function tell(message: WorkerMessage): void {
  if (process.connected) process.send!(message, undefined, undefined, () => {})
}
